#pragma once

#include "absl/status/statusor.h"
#include "encryptors/key.h"
#include "encryptors/secret_bytes.h"

namespace volcrypt {

// What LUKS takes as the passphrase for a key (KeyType says which rule). KEY_UNFIT, OUT_OF_MEMORY.
absl::StatusOr<SecretBytes> PassphraseOf(const Key& key);

}  // namespace volcrypt
