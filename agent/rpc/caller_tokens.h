#pragma once

#include <grpcpp/server_context.h>

#include <cstddef>
#include <map>
#include <optional>

#include "absl/status/statusor.h"
#include "agent/keys/key_manager.h"

namespace volcrypt {

// Longest token that is taken: Keystone's oldest format, whole certificates, was of this order; today's have 300 bytes.
inline constexpr size_t kMaxTokenBytes = size_t{16} * 1024;

// The Keystone tokens in a call's metadata, x-auth-token and x-service-token; nothing without the first. An empty one
// is none. INVALID_FIELD for what is too long, given twice, not plain text, or a service's token alone. Errors do not
// repeat it.
absl::StatusOr<std::optional<CallerTokens>> TokensOf(const std::multimap<grpc::string_ref, grpc::string_ref>& metadata);

}  // namespace volcrypt
