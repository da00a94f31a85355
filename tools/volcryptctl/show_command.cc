#include "tools/volcryptctl/show_command.h"

#include <memory>
#include <string>

#include "tools/volcryptctl/attachment_text.h"
#include "tools/volcryptctl/json_output.h"
#include "tools/volcryptctl/printable.h"
#include "volcrypt/v1/volume_encryptor.grpc.pb.h"

namespace volcrypt::ctl {
namespace {

absl::Status RunShow(const std::string& volume_id, Session& session) {
  v1::GetAttachmentRequest request;
  request.set_volume_id(volume_id);
  const auto response = session.client.Call(&v1::VolumeEncryptorService::Stub::GetAttachment, request);
  if (!response.ok()) return response.status();
  if (session.output == Output::kJson) {
    PrintJson(session.out, *response);
  } else if (session.quiet) {
    session.out << Printable(response->attachment().device_path()) << '\n';
  } else {
    KeyValues lines;
    AddAttachment(lines, response->attachment());
    lines.Print(session.out);
  }
  return absl::OkStatus();
}

}  // namespace

void AddShowCommand(const CommandApp& root, Command& selected) {
  const CommandApp app =
      root.Add("show",
               "Show one attached volume; answers even when its device hangs. The disk XML for libvirt is "
               "in the JSON output",
               "volcryptctl show 3f6c0a9e-5d4b-4f0e-9f6b-2f1f1c2b7a10");
  const auto volume_id = std::make_shared<std::string>();
  app.AddOption("VOLUME_ID", *volume_id, "The volume's id", {.required = true});
  app.OnUse(
      [volume_id, &selected] { selected = [volume_id](Session& session) { return RunShow(*volume_id, session); }; });
}

}  // namespace volcrypt::ctl
