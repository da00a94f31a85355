#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "encryptors/inspection.h"

namespace volcrypt {

// Says what is on a device. Opens it for reading alone and takes no lock.
absl::StatusOr<Inspection> InspectDevice(const std::string& path, const std::vector<std::string>& prefixes);

}  // namespace volcrypt
