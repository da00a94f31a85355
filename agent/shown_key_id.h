#pragma once

#include <string>

#include "absl/status/status.h"

namespace volcrypt {

// A key's id as log and audit have it, after what came of the operation. Somebody may have put the key itself in its
// place, in hexadecimal or Base64: what cannot be an id is not repeated, and what may be a key only after a key manager
// has looked for it, whose own log then has it too.
std::string ShownKeyId(const std::string& key_id, const absl::Status& outcome);

}  // namespace volcrypt
