#include "encryptors/extend_operation.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

#include <cerrno>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "encryptors/crypt_device.h"
#include "encryptors/header_policy.h"
#include "encryptors/loop_device.h"
#include "encryptors/luks.h"
#include "encryptors/mapping_description.h"
#include "encryptors/reason.h"
#include "encryptors/unique_fd.h"
#include "encryptors/volume_id.h"

namespace volcrypt {
namespace {

absl::StatusOr<uint64_t> BackingSizeBytes(dev_t number) {
  if (!LoopBackingFile(number).empty()) {
    if (absl::Status status = RefreshLoopDeviceSize(number); !status.ok()) return status;
  }
  const std::string path = KernelNodeOf(number);
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  uint64_t size = 0;
  if (!fd.IsValid() || ioctl(fd.Get(), BLKGETSIZE64, &size) != 0) {
    return MakeError(Reason::kDeviceIoError, absl::StrCat("backing device ", path, " cannot be opened"),
                     {{"device", path}});
  }
  return size;
}

// crypt_resize builds the new table from the header, so the header must pass the same checks as before an activation.
absl::Status Resize(const DmDevice& device, uint64_t backing_bytes, const ExtendRequest& request, const Key* key) {
  crypt_device* raw = nullptr;
  const int opened = crypt_init_by_name(&raw, device.name.c_str());
  const CryptDevice crypt(raw);
  if (opened < 0) return MakeError(Reason::kDeviceIoError, CryptErrorText("reading the mapping's header", opened));
  if (crypt_get_uuid(raw) == nullptr || LuksUuidOfDmUuid(device.uuid) != crypt_get_uuid(raw)) {
    return MakeError(Reason::kHeaderDamaged, "the header on the device is no longer the one that was mapped");
  }
  const HeaderPolicy policy{.allowed_ciphers = request.allowed_ciphers,
                            .data_offset_bytes = device.crypt->offset_sectors * 512};
  if (absl::Status status = CheckHeader(raw, policy); !status.ok()) return status;
  if (device.crypt->key_in_keyring) {
    const absl::StatusOr<SecretBytes> passphrase = PassphraseOf(*key);
    if (!passphrase.ok()) return passphrase.status();
    if (absl::Status status = VerifyPassphrase(raw, *passphrase); !status.ok()) return status;
  }
  // Said explicitly: a device that shrinks meanwhile would take the mapping with it.
  const uint64_t data_sectors = (backing_bytes / 512) - device.crypt->offset_sectors;
  const int resized = crypt_resize(raw, device.name.c_str(), data_sectors);
  if (resized < 0) return MakeError(Reason::kKernelUnsupported, CryptErrorText("resizing the mapping", resized));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ExtendResult> ExtendMapping(DeviceMapper& mapper, const VolumeRecords& records,
                                           const ExtendRequest& request, const Key* key) {
  const std::string name = MappingName(request.volume_id);
  const absl::StatusOr<std::optional<DmDevice>> before = mapper.Find(name);
  if (!before.ok()) return before.status();
  if (!before->has_value() || !IsOurDmUuid((*before)->uuid, name) || !(*before)->crypt) {
    return MakeError(Reason::kNotAttached, absl::StrCat("volume ", request.volume_id, " is not attached"),
                     {{"volume_id", request.volume_id}});
  }
  const DmDevice& device = **before;
  if (device.crypt->key_in_keyring && key == nullptr) {
    return MakeError(Reason::kKeyRequired, "extending a LUKS2 volume needs its key", {{"field", "key"}});
  }
  const absl::StatusOr<uint64_t> backing = BackingSizeBytes(BackingNumber(*device.crypt));
  if (!backing.ok()) return backing.status();
  const uint64_t mapped_end = (device.size_sectors + device.crypt->offset_sectors) * 512;
  if (*backing < mapped_end) {
    return MakeError(Reason::kDeviceTooSmall,
                     absl::StrCat("the backing device has ", *backing, " bytes, fewer than the ", mapped_end,
                                  " that are mapped; a volume is never shrunk"),
                     {{"size_bytes", absl::StrCat(*backing)}, {"mapped_bytes", absl::StrCat(mapped_end)}});
  }
  if (*backing > mapped_end) {
    if (absl::Status status = Resize(device, *backing, request, key); !status.ok()) return status;
  }
  const absl::StatusOr<std::optional<DmDevice>> after = mapper.Find(name);
  if (!after.ok()) return after.status();
  if (!after->has_value()) return MakeError(Reason::kNotAttached, "the mapping went away");
  return ExtendResult{.mapping = DescribeMapping(request.volume_id, **after, records),
                      .previous_size_bytes = device.size_sectors * 512};
}

}  // namespace volcrypt
