#include "tools/volcryptctl/inspect_command.h"

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tools/volcryptctl/attachment_text.h"
#include "tools/volcryptctl/device_argument.h"
#include "tools/volcryptctl/json_output.h"
#include "tools/volcryptctl/printable.h"
#include "volcrypt/v1/volume_admin.grpc.pb.h"

namespace volcrypt::ctl {
namespace {

std::string ContentWord(const v1::InspectVolumeResponse& response) {
  return EnumWord(v1::InspectVolumeResponse::Content_Name(response.content()), "CONTENT_");
}

std::string SignatureText(const v1::Signature& signature) {
  std::string text = absl::StrCat(signature.type(), " at ", signature.offset_bytes());
  if (!signature.uuid().empty()) absl::StrAppend(&text, ", uuid ", signature.uuid());
  if (!signature.label().empty()) absl::StrAppend(&text, ", label ", signature.label());
  return text;
}

std::string KeyslotText(const v1::Keyslot& keyslot) {
  std::vector<std::string> parts = {keyslot.pbkdf(), absl::StrCat(keyslot.iterations(), " iterations")};
  if (keyslot.memory_kib() != 0) parts.push_back(absl::StrCat(keyslot.memory_kib(), " KiB"));
  if (keyslot.parallelism() != 0) parts.push_back(absl::StrCat(keyslot.parallelism(), " threads"));
  if (!keyslot.cipher().empty()) parts.push_back(keyslot.cipher());
  return absl::StrJoin(parts, ", ");
}

void AddLuks(KeyValues& lines, const v1::LuksHeader& luks) {
  lines.Add("luks uuid", luks.uuid());
  AddEncryption(lines, luks.encryption());
  lines.Add("label", luks.label());
  lines.Add("header's volume", luks.volume_id());
  lines.Add("header's key", KeyText(luks.key()));
  lines.Add("data offset", ExactSize(luks.data_offset_bytes()));
  for (const v1::Keyslot& keyslot : luks.keyslots()) {
    lines.Add(absl::StrCat("keyslot ", keyslot.index()), KeyslotText(keyslot));
  }
}

void PrintInspection(Session& session, const v1::InspectVolumeResponse& response) {
  if (session.quiet) {
    session.out << ContentWord(response) << '\n';
    return;
  }
  KeyValues lines;
  lines.Add("device", response.device());
  lines.Add("size", ExactSize(response.size_bytes()));
  lines.Add("content", ContentWord(response));
  for (const v1::Signature& signature : response.signatures()) lines.Add("signature", SignatureText(signature));
  if (response.has_luks()) AddLuks(lines, response.luks());
  lines.Add("mapped as", response.mapped_as());
  lines.Add("attach would", response.attach_would());
  lines.Print(session.out);
}

absl::Status RunInspect(const std::string& device, Session& session) {
  v1::InspectVolumeRequest request;
  request.set_device(AbsoluteDevice(device));
  const auto response = session.client.Call(&v1::VolumeAdminService::Stub::InspectVolume, request);
  if (!response.ok()) return response.status();
  if (session.output == Output::kJson) {
    PrintJson(session.out, *response);
  } else {
    PrintInspection(session, *response);
  }
  return absl::OkStatus();
}

}  // namespace

void AddInspectCommand(const CommandApp& root, Command& selected) {
  const CommandApp app = root.Add("inspect", "Say what is on a device and what attach would do; changes nothing",
                                  "volcryptctl inspect /dev/sdb");
  const auto device = std::make_shared<std::string>();
  app.AddOption("DEVICE", *device, "Block device, link to one, or file", {.required = true});
  app.OnUse([device, &selected] { selected = [device](Session& session) { return RunInspect(*device, session); }; });
}

}  // namespace volcrypt::ctl
