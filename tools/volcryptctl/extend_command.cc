#include "tools/volcryptctl/extend_command.h"

#include <memory>
#include <optional>
#include <string>

#include "tools/volcryptctl/json_output.h"
#include "tools/volcryptctl/key_values.h"
#include "tools/volcryptctl/printable.h"
#include "volcrypt/v1/volume_encryptor.grpc.pb.h"

namespace volcrypt::ctl {
namespace {

struct ExtendOptions {
  std::string volume_id;
  std::optional<v1::KeyReference> key;
};

void PrintExtended(Session& session, const v1::ExtendVolumeResponse& response) {
  const v1::Attachment& attachment = response.attachment();
  if (session.quiet) {
    session.out << attachment.size_bytes() << '\n';
    return;
  }
  const bool grew = attachment.size_bytes() != response.previous_size_bytes();
  KeyValues lines;
  lines.Add("result", grew ? "extended" : "already as large as its device allows");
  lines.Add("volume", attachment.volume_id());
  lines.Add("path", attachment.device_path());
  lines.Add("size", ExactSize(attachment.size_bytes()));
  lines.Add("previous size", ExactSize(response.previous_size_bytes()));
  lines.Print(session.out);
}

absl::Status RunExtend(const ExtendOptions& options, Session& session) {
  v1::ExtendVolumeRequest request;
  request.set_volume_id(options.volume_id);
  if (options.key) *request.mutable_key() = *options.key;
  const auto response = session.client.Call(&v1::VolumeEncryptorService::Stub::ExtendVolume, request);
  if (!response.ok()) return response.status();
  if (session.output == Output::kJson) {
    PrintJson(session.out, *response);
  } else {
    PrintExtended(session, *response);
  }
  return absl::OkStatus();
}

}  // namespace

void AddExtendCommand(const CommandApp& root, Command& selected) {
  const CommandApp app = root.Add("extend", "Make an attached volume as large as its device has become; never shrinks",
                                  "volcryptctl extend 3f6c0a9e-5d4b-4f0e-9f6b-2f1f1c2b7a10");
  const auto options = std::make_shared<ExtendOptions>();
  app.AddOption("VOLUME_ID", options->volume_id, "The volume's id", {.required = true});
  app.AddKeyOption(options->key,
                   "The volume's key (LUKS2 needs it); an admin may leave it out if this host has recorded it");
  app.OnUse([options, &selected] { selected = [options](Session& session) { return RunExtend(*options, session); }; });
}

}  // namespace volcrypt::ctl
