#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace volcrypt {

// What makes a key is sent only once. This is the error of a request that was sent and whose answer was lost: the key
// may exist, and its id is not known. `how` says how to find it, `name` is the one that it was given, and may be empty.
absl::Status KeyMayExist(const absl::Status& error, const std::string& name, absl::string_view how);

}  // namespace volcrypt
