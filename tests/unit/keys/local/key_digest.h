#pragma once

#include <openssl/evp.h>

#include <array>
#include <string>

#include "encryptors/secret_bytes.h"

namespace volcrypt {

// SHA-256 of a key in hexadecimal: two processes can compare a key without showing it.
inline std::string KeyDigest(const SecretBytes& key) {
  std::array<unsigned char, 32> digest{};
  unsigned int size = 0;
  EVP_Digest(key.Bytes().data(), key.Size(), digest.data(), &size, EVP_sha256(), nullptr);
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const unsigned char byte : digest) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

}  // namespace volcrypt
