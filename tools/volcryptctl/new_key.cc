#include "tools/volcryptctl/new_key.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "tools/volcryptctl/call_error.h"
#include "tools/volcryptctl/exit_status.h"
#include "tools/volcryptctl/printable.h"
#include "volcrypt/v1/key.grpc.pb.h"

namespace volcrypt::ctl {
namespace {

// Only an answer that says "refused" proves that no volume was formatted with the key. All others, and codes of a
// future agent, leave it open.
bool IsCertainRefusal(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kPermissionDenied:
      return true;
    default:
      return false;
  }
}

// Never forced: the key manager refuses while the key is recorded to have formatted a volume.
absl::Status DeleteUnused(Session& session, const v1::KeyReference& key) {
  v1::DeleteKeyRequest request;
  *request.mutable_key() = key;
  // The user's Ctrl-C ended the attach; this call cleans up after it.
  return session.client.Call(&v1::KeyService::Stub::DeleteKey, request, Interruptible::kNo).status();
}

std::string NotDeletedNote(const v1::KeyReference& key, const absl::Status& error) {
  const std::string text = KeyText(key);
  if (ErrorInfoOf(error).reason() == "KEY_IN_USE") {
    return absl::StrCat("the new key ", text,
                        " was kept, because it is recorded to have formatted a volume; try again with --key ", text);
  }
  return absl::StrCat("the new key ", text, " could not be deleted (", error.message(),
                      "); do it with volcryptctl key delete ", text);
}

std::string NotMadeNote(const v1::CreateKeyRequest& request, const absl::Status& error) {
  if (IsCertainRefusal(error.code()) || ErrorInfoOf(error).reason() == kUnreachableReason) return "no key was made";
  return absl::StrCat("a key named '", request.name(), "' may have been made");
}

absl::Status WithKept(const absl::Status& error, const v1::KeyReference& key, absl::string_view note) {
  return WithMetadata(WithNote(error, note), "new_key", KeyText(key));
}

}  // namespace

absl::StatusOr<v1::KeyReference> CreateKeyFor(Session& session, const std::string& volume_id,
                                              const std::string& key_manager) {
  v1::CreateKeyRequest request;
  request.set_key_manager(key_manager);
  request.set_name(absl::StrCat("volume ", volume_id));
  const auto response = session.client.Call(&v1::KeyService::Stub::CreateKey, request);
  if (!response.ok()) return WithNote(response.status(), NotMadeNote(request, response.status()));
  if (response->key().key_id().empty()) return absl::InternalError("volcryptd made a key and did not name it");
  session.err << "volcryptctl: made key " << Printable(KeyText(response->key())) << '\n' << std::flush;
  return response->key();
}

absl::Status SettleNewKey(Session& session, const v1::KeyReference& key, const absl::Status& attach_error) {
  const std::string text = KeyText(key);
  if (!IsCertainRefusal(attach_error.code())) {
    return WithKept(
        attach_error, key,
        absl::StrCat("the new key ", text,
                     " was kept, because the volume may have been formatted with it: try again with --key ", text));
  }
  if (const absl::Status deleted = DeleteUnused(session, key); !deleted.ok()) {
    return WithKept(attach_error, key, NotDeletedNote(key, deleted));
  }
  return WithNote(attach_error, absl::StrCat("the new key ", text, " was deleted again"));
}

void DropUnneededKey(Session& session, const v1::KeyReference& key) {
  const absl::Status deleted = DeleteUnused(session, key);
  session.err << "volcryptctl: the volume was attached already; "
              << Printable(deleted.ok() ? absl::StrCat("the new key ", KeyText(key), " was deleted again")
                                        : NotDeletedNote(key, deleted))
              << '\n';
}

}  // namespace volcrypt::ctl
