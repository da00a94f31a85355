#include "tools/volcryptctl/detach_command.h"

#include <memory>
#include <string>

#include "tools/volcryptctl/detach_all.h"
#include "tools/volcryptctl/device_argument.h"
#include "tools/volcryptctl/domain_disk.h"
#include "tools/volcryptctl/json_output.h"
#include "tools/volcryptctl/printable.h"

namespace volcrypt::ctl {
namespace {

struct DetachOptions {
  v1::DetachVolumeRequest request;
  std::string volume_id;
  std::string device;
  bool all = false;
  bool deferred = false;
  bool keep_libvirt_secret = false;
  DomainOptions domain;
};

absl::Status RunDetach(const DetachOptions& options, Session& session) {
  const v1::DetachVolumeRequest& request = options.request;
  const auto response = options.domain.name.empty()
                            ? session.client.Call(&v1::VolumeEncryptorService::Stub::DetachVolume, request)
                            : TakeFromDomain(session, options.domain, request);
  if (!response.ok()) return response.status();
  if (session.output == Output::kJson) {
    PrintJson(session.out, *response);
  } else if (!session.quiet) {
    session.out << Printable(request.volume_id().empty() ? request.device() : request.volume_id()) << ": "
                << DetachWord(*response) << '\n';
  }
  return absl::OkStatus();
}

void CheckTarget(const DetachOptions& options) {
  const int targets = (options.volume_id.empty() ? 0 : 1) + (options.device.empty() ? 0 : 1) + (options.all ? 1 : 0);
  if (targets != 1) FailUsage("detach", "needs exactly one of VOLUME_ID, --device DEVICE and --all");
  if (!options.domain.name.empty() && options.volume_id.empty()) FailUsage("detach", "--domain needs VOLUME_ID");
}

}  // namespace

void AddDetachCommand(const CommandApp& root, Command& selected) {
  const CommandApp app =
      root.Add("detach", "Close the mapping of a volume; one that is not attached is no error. --all asks first",
               "volcryptctl detach 3f6c0a9e-5d4b-4f0e-9f6b-2f1f1c2b7a10");
  const auto options = std::make_shared<DetachOptions>();
  app.AddOption("VOLUME_ID", options->volume_id, "The volume's id");
  app.AddOption("--device", options->device, "Close whatever volcrypt mapping lies over this device");
  app.AddFlag("--all", options->all, "Detach every volume of this host");
  app.AddFlag("--deferred", options->deferred, "If it is in use, detach when the last user closes it");
  app.AddFlag("--keep-libvirt-secret", options->keep_libvirt_secret,
              "Leave the volume's libvirt secret, for the reboot of a guest");
  app.AddOption(
      "--domain", options->domain.name,
      "Virtual machine that has the volume as a disk: take it from there first, live and in the configuration");
  app.AddOption("--connect", options->domain.uri, "URI of the libvirt that has the domain; else libvirt's own choice",
                {.needs = "--domain"});
  app.OnUse([options, &selected] {
    CheckTarget(*options);
    options->request.set_volume_id(options->volume_id);
    options->request.set_device(AbsoluteDevice(options->device));
    options->request.set_deferred(options->deferred);
    options->request.set_keep_libvirt_secret(options->keep_libvirt_secret);
    selected = [options](Session& session) {
      return options->all ? DetachAll(options->request, session) : RunDetach(*options, session);
    };
  });
}

}  // namespace volcrypt::ctl
