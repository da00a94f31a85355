#include "tools/volcryptctl/key_reference.h"

#include <string>

#include "absl/strings/match.h"

namespace volcrypt::ctl {
namespace {

// KMIP knows keys by name too, and Barbican's are URLs.
constexpr absl::string_view kNamePrefix = "name";
constexpr absl::string_view kAfterScheme = "//";

bool IsPartOfKeyId(absl::string_view prefix, absl::string_view rest) {
  return prefix == kNamePrefix || absl::StartsWith(rest, kAfterScheme);
}

}  // namespace

std::optional<v1::KeyReference> ParseKeyReference(absl::string_view text) {
  v1::KeyReference key;
  if (const size_t colon = text.find(':'); colon != absl::string_view::npos) {
    if (colon == 0) return std::nullopt;
    const absl::string_view prefix = text.substr(0, colon);
    const absl::string_view rest = text.substr(colon + 1);
    if (!IsPartOfKeyId(prefix, rest)) {
      key.set_key_manager(std::string(prefix));
      text = rest;
    }
  }
  if (text.empty()) return std::nullopt;
  key.set_key_id(std::string(text));
  return key;
}

}  // namespace volcrypt::ctl
