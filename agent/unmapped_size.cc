#include "agent/unmapped_size.h"

#include "absl/strings/str_cat.h"
#include "encryptors/reason.h"

namespace volcrypt {
namespace {

ErrorMetadata MetadataOf(const VolumeSecret& secret) {
  return {{"volume_id", secret.volume_id}, {"device", secret.note.device}, {"attached", "QEMU decrypts it"}};
}

}  // namespace

absl::Status CheckHasDevice(const VolumeSecret& secret) {
  if (!secret.note.device.empty()) return absl::OkStatus();
  return MakeError(Reason::kAttachedDifferently,
                   absl::StrCat("volume ", secret.volume_id, " is attached without a device of this host; resize it ",
                                "where it is stored, and tell QEMU (virsh blockresize)"),
                   MetadataOf(secret));
}

absl::StatusOr<uint64_t> SizeForGuest(const VolumeSecret& secret, const Inspection& found) {
  const SecretNote& note = secret.note;
  if (!found.luks || found.luks->uuid != note.luks_uuid) {
    return MakeError(Reason::kAttachedDifferently,
                     absl::StrCat("volume ", secret.volume_id, " is attached as LUKS ", note.luks_uuid,
                                  ", which device ", note.device, " does not hold; detach it first"),
                     MetadataOf(secret));
  }
  const uint64_t offset = found.luks->data_offset_bytes;
  if (found.size_bytes < offset || found.size_bytes - offset < note.size_bytes) {
    return MakeError(Reason::kDeviceTooSmall,
                     absl::StrCat("device ", note.device, " has ", found.size_bytes, " bytes; the volume has ",
                                  note.size_bytes, " and begins at ", offset),
                     MetadataOf(secret));
  }
  return found.size_bytes - offset;
}

}  // namespace volcrypt
