#include "agent/keys/key_id.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "encryptors/reason.h"

namespace volcrypt {
namespace {

constexpr size_t kUuidLength = 36;

bool IsUuid(const std::string& text) {
  if (text.size() != kUuidLength) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : !absl::ascii_isxdigit(static_cast<unsigned char>(text[i]))) return false;
  }
  return true;
}

}  // namespace

bool IsKeyId(const std::string& id) {
  return !id.empty() && id.size() <= kMaxKeyIdBytes && std::ranges::all_of(id, [](unsigned char c) {
    return absl::ascii_isalnum(c) || c == '_' || c == '.' || c == ':' || c == '-';
  });
}

absl::StatusOr<std::string> CanonicalKeyId(const std::string& key_id) {
  if (IsUuid(key_id)) return absl::AsciiStrToLower(key_id);
  // What was given is not repeated: somebody may have put the key itself there.
  return MakeError(Reason::kInvalidKeyId, "the key id is not a UUID (8-4-4-4-12 hexadecimal digits)",
                   {{"length", absl::StrCat(key_id.size())}});
}

}  // namespace volcrypt
