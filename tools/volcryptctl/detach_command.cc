#include "tools/volcryptctl/detach_command.h"

#include <memory>
#include <string>

#include "tools/volcryptctl/command_app.h"
#include "tools/volcryptctl/detach_all.h"
#include "tools/volcryptctl/device_argument.h"
#include "tools/volcryptctl/json_output.h"
#include "tools/volcryptctl/printable.h"

namespace volcrypt::ctl {
namespace {

struct DetachOptions {
  v1::DetachVolumeRequest request;
  std::string volume_id;
  std::string device;
  bool all = false;
};

absl::Status RunDetach(const v1::DetachVolumeRequest& request, Session& session) {
  const auto response = session.client.Call(&v1::VolumeEncryptorService::Stub::DetachVolume, request);
  if (!response.ok()) return response.status();
  if (session.output == Output::kJson) {
    PrintJson(session.out, ToJson(*response));
  } else if (!session.quiet) {
    session.out << Printable(request.volume_id().empty() ? request.device() : request.volume_id()) << ": "
                << DetachWord(*response) << '\n';
  }
  return absl::OkStatus();
}

void CheckTarget(const DetachOptions& options) {
  const int targets = (options.volume_id.empty() ? 0 : 1) + (options.device.empty() ? 0 : 1) + (options.all ? 1 : 0);
  if (targets != 1) throw CLI::ValidationError("detach", "needs exactly one of VOLUME_ID, --device DEVICE and --all");
}

}  // namespace

void AddDetachCommand(CLI::App& root, Command& selected) {
  CLI::App& app = AddCommand(root, "detach",
                             "Close the mapping of a volume; one that is not attached is no error. --all asks first",
                             "volcryptctl detach 3f6c0a9e-5d4b-4f0e-9f6b-2f1f1c2b7a10");
  const auto options = std::make_shared<DetachOptions>();
  app.add_option("VOLUME_ID", options->volume_id, "The volume's id");
  app.add_option("--device", options->device, "Close whatever volcrypt mapping lies over this device");
  app.add_flag("--all", options->all, "Detach every volume of this host");
  app.add_flag_callback(
      "--deferred", [options] { options->request.set_deferred(true); },
      "If it is in use, detach when the last user closes it");
  app.add_flag_callback(
      "--keep-libvirt-secret", [options] { options->request.set_keep_libvirt_secret(true); },
      "Leave the volume's libvirt secret, for the reboot of a guest");
  app.callback([options, &selected] {
    CheckTarget(*options);
    options->request.set_volume_id(options->volume_id);
    options->request.set_device(AbsoluteDevice(options->device));
    selected = [options](Session& session) {
      return options->all ? DetachAll(options->request, session) : RunDetach(options->request, session);
    };
  });
}

}  // namespace volcrypt::ctl
