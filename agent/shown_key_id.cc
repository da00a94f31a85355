#include "agent/shown_key_id.h"

#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "agent/keys/key_id.h"
#include "agent/request_fields.h"
#include "encryptors/reason.h"

namespace volcrypt {
namespace {

// A key of 128 bits, the shortest that volumes are given, in Base64 without padding (RFC 4648).
constexpr size_t kShortestKeyText = 22;

bool MayBeKey(const std::string& key_id) { return key_id.size() >= kShortestKeyText && !CanonicalKeyId(key_id).ok(); }

bool WasLookedFor(const absl::Status& outcome) {
  return outcome.ok() || HasReason(outcome, Reason::kKeyNotFound) || HasReason(outcome, Reason::kKeyAccessDenied) ||
         HasReason(outcome, Reason::kKeyRejected) || HasReason(outcome, Reason::kKeyUnfit);
}

}  // namespace

std::string ShownKeyId(const std::string& key_id, const absl::Status& outcome) {
  absl::StatusOr<std::string> parsed = ParseKeyId(key_id);
  if (!parsed.ok() || HasReason(outcome, Reason::kInvalidKeyId)) {
    return absl::StrCat("invalid (", key_id.size(), " bytes)");
  }
  if (MayBeKey(*parsed) && !WasLookedFor(outcome)) return absl::StrCat("unchecked (", key_id.size(), " bytes)");
  return *std::move(parsed);
}

}  // namespace volcrypt
