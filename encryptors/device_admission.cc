#include "encryptors/device_admission.h"

#include "absl/strings/str_cat.h"
#include "encryptors/device_mapper.h"
#include "encryptors/reason.h"
#include "encryptors/volume_id.h"

namespace volcrypt {

absl::Status CheckAdmitted(const AttachRequest& request, const ResolvedDevice& resolved) {
  if (!resolved.IsFile() && VolumeIdOfMapping(DmNameOf(resolved.BlockNumber()))) {
    return MakeError(Reason::kDeviceNotAllowed,
                     absl::StrCat("device ", request.device, " is itself the mapping of a volume, ",
                                  DmNameOf(resolved.BlockNumber()), "; name the backing device"),
                     {{"field", "device"}, {"device", resolved.Path()}});
  }
  for (const auto& [volume_id, device] : request.decrypted_by_qemu) {
    if (!resolved.IsAt(device)) continue;
    return MakeError(
        Reason::kDeviceInUse,
        absl::StrCat("QEMU decrypts volume ", volume_id, " on device ", resolved.Path(), "; detach that volume first"),
        {{"device", resolved.Path()}, {"volume_id", volume_id}});
  }
  return absl::OkStatus();
}

}  // namespace volcrypt
