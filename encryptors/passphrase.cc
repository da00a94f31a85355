#include "encryptors/passphrase.h"

#include <algorithm>

#include "encryptors/reason.h"

namespace volcrypt {

absl::StatusOr<SecretBytes> PassphraseOf(const Key& key) {
  if (key.bytes.IsEmpty()) return MakeError(Reason::kKeyUnfit, "the key is empty");
  if (key.type != KeyType::kPassphrase) return HexOf(key.bytes);
  absl::StatusOr<SecretBytes> copy = SecretBytes::Allocate(key.bytes.Size());
  if (copy.ok()) std::ranges::copy(key.bytes.Bytes(), copy->Bytes().begin());
  return copy;
}

}  // namespace volcrypt
