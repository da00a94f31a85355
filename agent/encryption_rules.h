#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "encryptors/encryption.h"

namespace volcrypt {

// One field of an encryption that a volume must not be formatted with.
struct EncryptionFault {
  std::string field;  // format, cipher, key_size_bits, sector_size_bytes
  std::string what;
};

// One of the ciphers that may be allowed at all. The helper has a list of its own, which counts in the end.
bool IsBuiltInCipher(std::string_view cipher);
std::string BuiltInCipherList();  // for messages

// Everything wrong with a complete encryption (no field left to a default; sector size 0 means: choose), as far as
// it can be told without a device.
std::vector<EncryptionFault> FaultsOf(const Encryption& encryption, const std::vector<std::string>& allowed_ciphers);

}  // namespace volcrypt
