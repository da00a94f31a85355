#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace volcrypt {

// The id of the fixed key, as in castellan's ConfKeyManager: volumes of nova and cinder carry it.
inline constexpr char kFixedKeyId[] = "00000000-0000-0000-0000-000000000000";

inline constexpr size_t kMaxKeyIdBytes = 255;
// What an id is made of, for messages.
inline constexpr char kKeyIdCharacters[] = R"(letters, digits, "_", ".", ":" and "-")";

// Whether callers can name a key by this: 1 to kMaxKeyIdBytes of kKeyIdCharacters.
bool IsKeyId(const std::string& id);

// The id of a key that is a UUID, in lower case. INVALID_KEY_ID for anything else.
absl::StatusOr<std::string> CanonicalKeyId(const std::string& key_id);

}  // namespace volcrypt
