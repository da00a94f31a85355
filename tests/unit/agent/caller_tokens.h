#pragma once

#include <algorithm>
#include <string>

#include "agent/keys/key_manager.h"

namespace volcrypt {

inline SecretBytes SecretOf(const std::string& text) {
  absl::StatusOr<SecretBytes> secret = SecretBytes::Allocate(text.size());
  if (!secret.ok()) return {};
  std::ranges::copy(text, secret->Bytes().begin());
  return *std::move(secret);
}

// Made up.
inline CallerTokens MadeUpTokens(const std::string& auth_token, const std::string& service_token = "") {
  return {.auth_token = SecretOf(auth_token), .service_token = SecretOf(service_token)};
}

}  // namespace volcrypt
