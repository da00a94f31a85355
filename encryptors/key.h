// A key as the key manager gave it, and what names it there.
#pragma once

#include <cstdint>
#include <string>

#include "encryptors/secret_bytes.h"

namespace volcrypt {

struct KeyReference {
  std::string key_manager;
  std::string key_id;

  bool operator==(const KeyReference&) const = default;
};

enum class KeyType : uint8_t {
  kSymmetric,   // LUKS passphrase: lower-case hexadecimal text of the bytes, as os-brick does
  kPassphrase,  // LUKS passphrase: the bytes unchanged
  kOpaque,      // like kSymmetric, but nothing vouches for its entropy
};

struct Key {
  KeyType type = KeyType::kSymmetric;
  SecretBytes bytes;
  // From a random generator and at least 128 bits: the keyslot needs no slow key derivation.
  bool high_entropy = false;
};

}  // namespace volcrypt
