// What a worker demands of a request before anything acts on it. The agent has checked the same already; the helper
// does not rely on that. Errors carry a reason and name the field.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "encryptors/encryptor.h"

namespace volcrypt {

absl::Status Validate(const AttachRequest& request);
absl::Status Validate(const DetachRequest& request);
absl::Status Validate(const ExtendRequest& request);

absl::Status ValidateVolumeId(std::string_view volume_id);
// An absolute path, as text alone: where it leads and whether that is allowed is found out when it is opened.
absl::Status ValidateDevice(std::string_view device);
// Kernel notation, CIPHER-MODE-IV[:OPTION]. Which ciphers are good enough is decided elsewhere.
bool IsCipherName(std::string_view cipher);
// Lower-case 8-4-4-4-12.
bool IsUuid(std::string_view uuid);

}  // namespace volcrypt
