#include "tools/volcryptctl/forget_command.h"

#include <memory>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "tools/volcryptctl/confirm.h"
#include "tools/volcryptctl/json_output.h"
#include "tools/volcryptctl/printable.h"
#include "volcrypt/v1/volume_admin.grpc.pb.h"

namespace volcrypt::ctl {
namespace {

struct ForgetOptions {
  std::string volume_id;
  std::optional<v1::KeyReference> key;
};

absl::Status RunForget(const ForgetOptions& options, Session& session) {
  const std::string question =
      absl::StrCat("Forget volume ", options.volume_id, "? A blank device may then be formatted under its id again.");
  if (absl::Status status = Confirm(session, question); !status.ok()) return status;
  v1::ForgetVolumeRequest request;
  request.set_volume_id(options.volume_id);
  if (options.key) *request.mutable_key() = *options.key;
  const auto response = session.client.Call(&v1::VolumeAdminService::Stub::ForgetVolume, request);
  if (!response.ok()) return response.status();
  if (session.output == Output::kJson) {
    PrintJson(session.out, *response);
  } else if (!session.quiet) {
    session.out << "forgot volume " << Printable(options.volume_id) << '\n';
  }
  return absl::OkStatus();
}

}  // namespace

void AddForgetCommand(const CommandApp& root, Command& selected) {
  const CommandApp app =
      root.Add("forget", "Drop the records of a volume that its owner has deleted; touches no device. Asks first",
               "volcryptctl forget 3f6c0a9e-5d4b-4f0e-9f6b-2f1f1c2b7a10 --yes");
  const auto options = std::make_shared<ForgetOptions>();
  app.AddOption("VOLUME_ID", options->volume_id, "The volume's id", {.required = true});
  app.AddKeyOption(options->key, "The volume's key, to drop the first-use record beside it as well");
  app.OnUse([options, &selected] { selected = [options](Session& session) { return RunForget(*options, session); }; });
}

}  // namespace volcrypt::ctl
