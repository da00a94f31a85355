#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "encryptors/encryption.h"

namespace volcrypt {

// The format that an OpenStack volume type's encryption provider means: luks (which is LUKS1), luks2, plain, or one of
// the class names that stood there in older releases. UNSUPPORTED_ENCRYPTION for the providers that encrypt nothing,
// which os-brick attaches in clear, and INVALID_FIELD for all others: a name is never imported or guessed.
absl::StatusOr<Format> ParseProvider(const std::string& provider);

}  // namespace volcrypt
