#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace volcrypt {

// The id of a key that is a UUID, in lower case. INVALID_KEY_ID for anything else.
absl::StatusOr<std::string> CanonicalKeyId(const std::string& key_id);

}  // namespace volcrypt
