#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace volcrypt {

// The id of the fixed key, as in castellan's ConfKeyManager: volumes of nova and cinder carry it.
inline constexpr char kFixedKeyId[] = "00000000-0000-0000-0000-000000000000";

// The id of a key that is a UUID, in lower case. INVALID_KEY_ID for anything else.
absl::StatusOr<std::string> CanonicalKeyId(const std::string& key_id);

}  // namespace volcrypt
