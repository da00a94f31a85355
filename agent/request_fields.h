// The shape of fields that several calls share. Pure: nothing here looks at a device or asks a key manager.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace volcrypt {

// PATH_MAX less its NUL.
inline constexpr size_t kMaxDevicePathBytes = 4095;

// INVALID_VOLUME_ID.
absl::Status CheckVolumeId(const std::string& volume_id);

// INVALID_FIELD. Where devices may lie is the helper's to check, on the path with its links resolved.
absl::Status CheckDevicePath(const std::string& device);

// The key's id in the key manager: of a URL, as Barbican gives them, the last segment. INVALID_KEY_ID.
absl::StatusOr<std::string> ParseKeyId(const std::string& key_id);

}  // namespace volcrypt
