// AES-256-GCM under a key-encryption key. A wrapped secret is nonce (12 random bytes), ciphertext, tag (16 bytes).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "encryptors/secret_bytes.h"

namespace volcrypt {

inline constexpr size_t kKekBytes = 32;

// What a wrapped key is bound to: it unwraps only with the same words, so a row's key cannot stand in another row.
struct KeyBinding {
  std::string_view key_id;
  std::string_view type;
  std::string_view algorithm;
  uint32_t bit_length = 0;
};

// The authenticated data of a key: for "volcrypt key 1", key id, type and algorithm in turn a length (4 bytes,
// big-endian) and the text, then the bit length (4 bytes, big-endian).
std::string AssociatedData(const KeyBinding& binding);

// `kek` has kKekBytes. An empty secret is allowed: then the result proves the key-encryption key and nothing else.
absl::StatusOr<std::vector<uint8_t>> WrapSecret(const SecretBytes& kek, const SecretBytes& secret,
                                                std::string_view associated_data);

// KEY_UNFIT when anything differs from what was wrapped.
absl::StatusOr<SecretBytes> UnwrapSecret(const SecretBytes& kek, std::span<const uint8_t> wrapped,
                                         std::string_view associated_data);

}  // namespace volcrypt
