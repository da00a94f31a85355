#pragma once

#include <gmock/gmock.h>

#include <string>

#include "encryptors/reason.h"

namespace volcrypt {

inline absl::Status StatusOf(const absl::Status& status) { return status; }
template <typename T>
absl::Status StatusOf(const absl::StatusOr<T>& result) {
  return result.status();
}

// A status or result that failed for this reason.
MATCHER_P(FailsWith, reason, std::string("fails with ") + std::string(ReasonName(reason))) {
  const absl::Status status = StatusOf(arg);
  *result_listener << status.ToString();
  return HasReason(status, reason);
}

MATCHER(Succeeds, "succeeds") {
  const absl::Status status = StatusOf(arg);
  *result_listener << status.ToString();
  return status.ok();
}

MATCHER_P2(HasMetadata, key, value, "") {
  const ErrorMetadata metadata = MetadataOf(StatusOf(arg));
  const auto found = metadata.find(key);
  *result_listener << (found == metadata.end() ? "absent" : found->second);
  return found != metadata.end() && found->second == value;
}

MATCHER_P(Says, text, "") {
  const std::string message(StatusOf(arg).message());
  *result_listener << message;
  return message.find(text) != std::string::npos;
}

}  // namespace volcrypt
