#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "encryptors/reason.h"

namespace volcrypt {

inline std::vector<Reason> AllReasons() {
  std::vector<Reason> reasons;
  for (int i = 0; i < kReasonCount; ++i) reasons.push_back(static_cast<Reason>(i));
  return reasons;
}

// What key managers answer (agent/keys/key_manager.h), and what a Barbican with callers' tokens will.
inline const std::vector<Reason>& KeyManagerReasons() {
  static const std::vector<Reason> reasons = {
      Reason::kKeyNotFound,  Reason::kKeyAccessDenied,       Reason::kKeyUnfit,
      Reason::kKeyInUse,     Reason::kKeyManagerUnavailable, Reason::kKeyManagerTimedOut,
      Reason::kInvalidKeyId, Reason::kCallerTokenRejected,   Reason::kOutOfMemory};
  return reasons;
}

// OK, a reason's name, or the status as it is.
inline std::string Outcome(const absl::Status& status) {
  if (status.ok()) return "OK";
  const std::optional<Reason> reason = ReasonOf(status);
  return reason ? std::string(ReasonName(*reason)) : status.ToString();
}
template <typename T>
std::string Outcome(const absl::StatusOr<T>& result) {
  return Outcome(result.status());
}

inline std::string Name(Reason reason) { return std::string(ReasonName(reason)); }

}  // namespace volcrypt
