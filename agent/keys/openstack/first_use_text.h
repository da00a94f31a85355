// A first-use record as user metadata of a secret. Pure.
//
// The name is "volcrypt-" and the volume's id in lower case, because Barbican makes it lower case anyway. An id with a
// dot, which Barbican refuses in a name, is "volcrypt-sha256-" and the SHA-256 of the id in lower case, in hexadecimal.
// The value is for people, too:
//   state=claimed|formatted host=HOST luks=UUID volume=VOLUME_ID
// Other words in it are of a later version and left alone. Barbican holds 255 characters of each.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "agent/keys/key_manager.h"

namespace volcrypt {

absl::StatusOr<std::string> FirstUseName(const std::string& volume_id);

// INVALID_FIELD for a host or UUID that cannot be one.
absl::StatusOr<std::string> FirstUseValue(const FirstUseRecord& record);

// A value that somebody else wrote is a record all the same, of a formatted volume of which nothing more is known: a
// record forbids, and whoever damages one must not allow a format by that. volume_id is empty when the value names no
// volume whose record has this name.
FirstUseRecord ParseFirstUse(absl::string_view name, absl::string_view value);

// The records among all user metadata of a secret; without a volume's id in the value, it is taken from the name.
std::vector<FirstUseRecord> FirstUsesIn(const std::map<std::string, std::string>& metadata);

}  // namespace volcrypt
