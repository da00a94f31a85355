#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "encryptors/inspection.h"
#include "encryptors/key.h"

namespace volcrypt {

// The key for an admin who names none: what the header's token says, if it names this very volume and a key of the
// default key manager. The token was written by whoever held the disk, so all else is KEY_REQUIRED.
absl::StatusOr<KeyReference> KeyNamedByHeader(const Inspection& inspection, const std::string& volume_id,
                                              const std::string& default_key_manager);

}  // namespace volcrypt
