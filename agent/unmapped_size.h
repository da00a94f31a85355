// The size of a volume that QEMU decrypts.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/libvirt/volume_secrets.h"
#include "encryptors/inspection.h"

namespace volcrypt {

// ATTACHED_DIFFERENTLY: it is attached without a device of this host.
absl::Status CheckHasDevice(const VolumeSecret& secret);

// What the guest can see of the device by now, in bytes. ATTACHED_DIFFERENTLY when the device does not hold the volume,
// DEVICE_TOO_SMALL when it has shrunk.
absl::StatusOr<uint64_t> SizeForGuest(const VolumeSecret& secret, const Inspection& found);

}  // namespace volcrypt
