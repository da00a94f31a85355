#include "tools/volcryptctl/key_command.h"

#include <memory>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "google/protobuf/util/time_util.h"
#include "tools/volcryptctl/confirm.h"
#include "tools/volcryptctl/json_output.h"
#include "tools/volcryptctl/key_check.h"
#include "tools/volcryptctl/key_values.h"
#include "tools/volcryptctl/printable.h"
#include "volcrypt/v1/key.grpc.pb.h"

namespace volcrypt::ctl {
namespace {

// Of a call whose answer is a new key.
template <typename Response>
absl::Status PrintNewKey(const absl::StatusOr<Response>& response, Session& session) {
  if (!response.ok()) return response.status();
  if (session.output == Output::kJson) {
    PrintJson(session.out, *response);
  } else if (session.quiet) {
    session.out << Printable(response->key().key_id()) << '\n';
  } else {
    KeyValues lines;
    lines.Add("key", KeyText(response->key()));
    lines.Print(session.out);
  }
  return absl::OkStatus();
}

absl::Status RunCreate(const v1::CreateKeyRequest& request, Session& session) {
  return PrintNewKey(session.client.Call(&v1::KeyService::Stub::CreateKey, request), session);
}

absl::Status RunCopy(const v1::CopyKeyRequest& request, Session& session) {
  return PrintNewKey(session.client.Call(&v1::KeyService::Stub::CopyKey, request), session);
}

void PrintKey(Session& session, const v1::GetKeyMetadataResponse& response) {
  if (session.quiet) {
    session.out << Printable(response.status()) << '\n';
    return;
  }
  KeyValues lines;
  lines.Add("key", KeyText(response.key()));
  lines.Add("type", response.secret_type());
  lines.Add("algorithm", response.algorithm());
  if (response.bit_length() != 0) lines.Add("length", absl::StrCat(response.bit_length(), " bits"));
  lines.Add("status", response.status());
  if (response.has_created_at()) {
    lines.Add("created at", google::protobuf::util::TimeUtil::ToString(response.created_at()));
  }
  lines.Add("formatted volumes",
            response.formatted_volumes().empty() ? "none" : absl::StrJoin(response.formatted_volumes(), ", "));
  lines.Print(session.out);
}

absl::Status RunShow(const v1::KeyReference& key, Session& session) {
  v1::GetKeyMetadataRequest request;
  *request.mutable_key() = key;
  const auto response = session.client.Call(&v1::KeyService::Stub::GetKeyMetadata, request);
  if (!response.ok()) return response.status();
  if (session.output == Output::kJson) {
    PrintJson(session.out, *response);
  } else {
    PrintKey(session, *response);
  }
  return absl::OkStatus();
}

absl::Status RunDelete(const v1::KeyReference& key, bool force, Session& session) {
  const std::string question =
      absl::StrCat("Delete key ", KeyText(key), "? What is on the volumes that it opens is lost for good.");
  if (absl::Status status = Confirm(session, question); !status.ok()) return status;
  v1::DeleteKeyRequest request;
  *request.mutable_key() = key;
  request.set_force(force);
  const auto response = session.client.Call(&v1::KeyService::Stub::DeleteKey, request);
  if (!response.ok()) return response.status();
  if (session.output == Output::kJson) {
    PrintJson(session.out, *response);
  } else if (!session.quiet) {
    session.out << "deleted key " << Printable(KeyText(key)) << '\n';
  }
  return absl::OkStatus();
}

void AddCreate(const CommandApp& parent, Command& selected) {
  struct Options {
    std::string name;
    uint32_t bits = 0;
    std::string manager;
  };
  const CommandApp app = parent.Add("create", "Let a key manager make a key; its bytes never come here",
                                    "volcryptctl key create --name 'volume 42'");
  const auto options = std::make_shared<Options>();
  app.AddOption("--name", options->name, "A name for people");
  app.AddNumber("--bits", options->bits, "Length of the key; 256 by default");
  app.AddOption("--manager", options->manager, "Key manager instead of the default one");
  app.OnUse([options, &selected] {
    v1::CreateKeyRequest request;
    request.set_name(options->name);
    request.set_bit_length(options->bits);
    request.set_key_manager(options->manager);
    selected = [request](Session& session) { return RunCreate(request, session); };
  });
}

void AddShow(const CommandApp& parent, Command& selected) {
  const CommandApp app = parent.Add("show", "Show what is known about a key; never its bytes",
                                    "volcryptctl key show local:8b0f4f0e-6c1d-4e7a-9a55-0c7d6b1f2e3d");
  const auto key = std::make_shared<std::optional<v1::KeyReference>>();
  app.AddKeyArgument(*key);
  app.OnUse([key, &selected] { selected = [key](Session& session) { return RunShow(**key, session); }; });
}

void AddCopy(const CommandApp& parent, Command& selected) {
  struct Options {
    std::optional<v1::KeyReference> source;
    std::string manager;
    std::string name;
    std::string owner_user_id;
  };
  const CommandApp app = parent.Add("copy",
                                    "Copy a key into another key manager, with the records of the volumes that it has "
                                    "formatted; the copy has an id of its own",
                                    "volcryptctl key copy local:8b0f4f0e-6c1d-4e7a-9a55-0c7d6b1f2e3d --to barbican");
  const auto options = std::make_shared<Options>();
  app.AddKeyArgument(options->source);
  app.AddOption("--to", options->manager, "Key manager that takes the copy", {.required = true});
  app.AddOption("--name", options->name, "A name for people; else the one that the key has");
  app.AddOption("--owner-user-id", options->owner_user_id,
                "A user who may read the copy as well, where the key manager knows users");
  app.OnUse([options, &selected] {
    v1::CopyKeyRequest request;
    *request.mutable_source() = *options->source;
    request.set_key_manager(options->manager);
    request.set_name(options->name);
    request.set_owner_user_id(options->owner_user_id);
    selected = [request](Session& session) { return RunCopy(request, session); };
  });
}

void AddCheck(const CommandApp& parent, Command& selected) {
  const CommandApp app =
      parent.Add("check",
                 "Go through what the use of a key manager needs, and say at which step it fails and what "
                 "to do",
                 "volcryptctl key check barbican");
  const auto manager = std::make_shared<std::string>();
  app.AddOption("MANAGER", *manager, "Key manager instead of the default one");
  app.OnUse(
      [manager, &selected] { selected = [manager](Session& session) { return CheckKeyManager(*manager, session); }; });
}

void AddDelete(const CommandApp& parent, Command& selected) {
  struct Options {
    std::optional<v1::KeyReference> key;
    bool force = false;
  };
  const CommandApp app =
      parent.Add("delete",
                 "Delete a key for good. Asks first; refused while the key is recorded to have formatted "
                 "volumes",
                 "volcryptctl key delete local:8b0f4f0e-6c1d-4e7a-9a55-0c7d6b1f2e3d --yes");
  const auto options = std::make_shared<Options>();
  app.AddKeyArgument(options->key);
  app.AddFlag("--force", options->force, "Delete it although it is recorded to have formatted volumes");
  app.OnUse([options, &selected] {
    selected = [options](Session& session) { return RunDelete(*options->key, options->force, session); };
  });
}

}  // namespace

void AddKeyCommand(const CommandApp& root, Command& selected) {
  const CommandApp app =
      root.Add("key", "Make, show, copy and delete keys, and check key managers", "volcryptctl key create");
  app.TakeOneCommand();
  AddCreate(app, selected);
  AddShow(app, selected);
  AddCopy(app, selected);
  AddDelete(app, selected);
  AddCheck(app, selected);
}

}  // namespace volcrypt::ctl
