#include "encryptors/mapping_description.h"

#include <sys/sysmacros.h>

#include <filesystem>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "encryptors/device_identity.h"
#include "encryptors/loop_device.h"
#include "encryptors/volume_id.h"

namespace volcrypt {
namespace {

// Written by the kernel behind the name of a file that is gone.
constexpr absl::string_view kDeleted = " (deleted)";

// Wants the mapping's device as BackingPath() tells it.
void DescribeState(const DmDevice& device, Mapping& mapping) {
  if (absl::EndsWith(mapping.device, kDeleted)) {
    mapping.device.resize(mapping.device.size() - kDeleted.size());
    mapping.state = MappingState::kBroken;
    mapping.state_reason = absl::StrCat("the backing file ", mapping.device, " is deleted");
  } else if (mapping.device.empty()) {
    mapping.state = MappingState::kBroken;
    mapping.state_reason = "the backing device is gone; detach, reconnect the storage and attach again";
  } else if (device.deferred_remove) {
    mapping.state = MappingState::kDetaching;
    mapping.state_reason = "a deferred detach waits for the last user to close it";
  } else if (device.suspended) {
    mapping.state = MappingState::kSuspended;
    mapping.state_reason = "the mapping is suspended";
  }
}

}  // namespace

dev_t BackingNumber(const CryptTable& table) {
  const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(table.device, absl::MaxSplits(':', 1));
  uint32_t major_number = 0;
  uint32_t minor_number = 0;
  if (!absl::SimpleAtoi(parts.first, &major_number) || !absl::SimpleAtoi(parts.second, &minor_number)) return 0;
  return makedev(major_number, minor_number);
}

std::string KernelNodeOf(dev_t number) {
  std::error_code error;
  const std::filesystem::path link = absl::StrCat("/sys/dev/block/", major(number), ":", minor(number));
  const std::filesystem::path target = std::filesystem::read_symlink(link, error);
  return error ? "" : absl::StrCat("/dev/", target.filename().string());
}

std::string BackingPath(dev_t number) {
  return IsOurKindOfLoopDevice(number) ? LoopBackingFile(number) : KernelNodeOf(number);
}

Mapping DescribeMapping(const std::string& volume_id, const DmDevice& device, const VolumeRecords& records) {
  Mapping mapping{.volume_id = volume_id,
                  .device_path = absl::StrCat("/dev/mapper/", device.name),
                  .size_bytes = device.size_sectors * 512,
                  .luks_uuid = LuksUuidOfDmUuid(device.uuid),
                  .read_only = device.read_only,
                  .open_count = device.open_count};
  mapping.encryption.format = absl::StartsWith(device.uuid, "CRYPT-LUKS2-")   ? Format::kLuks2
                              : absl::StartsWith(device.uuid, "CRYPT-LUKS1-") ? Format::kLuks1
                                                                              : Format::kPlain;
  if (device.crypt) {
    const dev_t number = BackingNumber(*device.crypt);
    mapping.device = BackingPath(number);
    mapping.device_identity = ShownIdentity(number);
    mapping.encryption.cipher = device.crypt->cipher;
    mapping.encryption.key_size_bits = device.crypt->key_size_bits;
    mapping.encryption.sector_size_bytes = device.crypt->sector_size_bytes;
  }
  DescribeState(device, mapping);
  // The record informs; a mapping is described without it just as well.
  const absl::StatusOr<std::optional<VolumeRecord>> record = records.Read(VolumeRecords::Kind::kKnown, volume_id);
  if (record.ok() && record->has_value() && (*record)->luks_uuid == mapping.luks_uuid) {
    if (!(*record)->key.key_id.empty()) mapping.key = (*record)->key;
    mapping.formatted_at = (*record)->formatted_at;
  }
  return mapping;
}

}  // namespace volcrypt
