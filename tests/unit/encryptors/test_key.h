#pragma once

#include <algorithm>
#include <string_view>

#include "encryptors/key.h"

namespace volcrypt {

// Secrets with made-up contents, which is why they may come from text here.
inline SecretBytes SecretOf(std::string_view text) {
  absl::StatusOr<SecretBytes> secret = SecretBytes::Allocate(text.size());
  std::copy(text.begin(), text.end(), secret->Bytes().begin());
  return *std::move(secret);
}

inline std::string_view TextOf(const SecretBytes& secret) { return {secret.Text(), secret.Size()}; }

inline Key KeyWith(std::string_view text) { return {.bytes = SecretOf(text)}; }

}  // namespace volcrypt
