#pragma once

#include "absl/status/statusor.h"
#include "encryptors/device_mapper.h"
#include "encryptors/encryptor.h"
#include "encryptors/volume_record.h"

namespace volcrypt {

// Makes a live mapping as large as its backing device has become; never smaller. The caller holds the volume's lock.
// NOT_ATTACHED, KEY_REQUIRED (LUKS2: the volume key is in the keyring of a worker that is gone), DEVICE_TOO_SMALL when
// the device has shrunk.
absl::StatusOr<ExtendResult> ExtendMapping(DeviceMapper& mapper, const VolumeRecords& records,
                                           const ExtendRequest& request, const Key* key);

}  // namespace volcrypt
