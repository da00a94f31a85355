#pragma once

#include "absl/status/status.h"
#include "encryptors/backing_device.h"
#include "encryptors/encryptor.h"

namespace volcrypt {

// What the kernel's exclusive claim cannot tell of a device that is to be attached: that it is the mapping of a volume
// (DEVICE_NOT_ALLOWED), or that QEMU decrypts another volume on it (DEVICE_IN_USE, which names that volume).
absl::Status CheckAdmitted(const AttachRequest& request, const ResolvedDevice& resolved);

}  // namespace volcrypt
