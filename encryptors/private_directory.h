#pragma once

#include <string>

#include "absl/status/status.h"

namespace volcrypt {

// Makes `path` (mode 0700, parents 0755) if it is missing, durably. Refuses one that does not belong to root or that
// anyone else can write: its files decide what may be formatted. Errors are for the person who starts the program.
absl::Status EnsurePrivateDirectory(const std::string& path);

}  // namespace volcrypt
