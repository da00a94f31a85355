#include "encryptors/inspect_operation.h"

#include "absl/strings/str_join.h"
#include "encryptors/backing_device.h"
#include "encryptors/content_probe.h"
#include "encryptors/device_mapper.h"
#include "encryptors/loop_device.h"
#include "encryptors/reason.h"
#include "encryptors/volume_content.h"

namespace volcrypt {
namespace {

// What lies over the device, or over a loop device over the file.
std::string MappedAs(const ResolvedDevice& resolved, const std::vector<dev_t>& loops) {
  if (!resolved.IsFile()) return absl::StrJoin(HoldersOf(resolved.BlockNumber()), ", ");
  std::vector<std::string> names;
  for (const dev_t loop : loops) {
    for (std::string& name : HoldersOf(loop)) names.push_back(std::move(name));
  }
  return absl::StrJoin(names, ", ");
}

}  // namespace

absl::StatusOr<Inspection> InspectDevice(const std::string& path, const std::vector<std::string>& prefixes) {
  const absl::StatusOr<ResolvedDevice> resolved = ResolvedDevice::Resolve(path, prefixes);
  if (!resolved.ok()) return resolved.status();
  const std::vector<dev_t> loops = resolved->IsFile() ? LoopDevicesOverPath(resolved->Path()) : std::vector<dev_t>();
  const absl::StatusOr<BackingDevice> device =
      BackingDevice::Open(*resolved, BackingDevice::Access::kReadOnly, /*lock=*/false, absl::InfinitePast());
  if (!device.ok()) return device.status();
  Inspection inspection{
      .device = device->Path(), .size_bytes = device->SizeBytes(), .mapped_as = MappedAs(*resolved, loops)};
  const absl::StatusOr<UniqueFd> direct = device->OpenForReading();
  if (!direct.ok()) return direct.status();

  absl::StatusOr<VolumeContent> content = ExamineContent(*device, direct->Get());
  if (!content.ok()) {
    if (!HasReason(content.status(), Reason::kDeviceIoError)) return content.status();
    inspection.content = Content::kUnreadable;
    inspection.detail = std::string(content.status().message());
    return inspection;
  }
  inspection.content = content->content;
  inspection.detail = content->detail;
  inspection.luks = std::move(content->header);
  inspection.signatures = std::move(content->signatures);
  if (inspection.signatures.empty() && inspection.luks) {
    absl::StatusOr<std::vector<Signature>> signatures = ReadSignatures(*device);
    if (signatures.ok()) inspection.signatures = *std::move(signatures);
  }
  return inspection;
}

}  // namespace volcrypt
