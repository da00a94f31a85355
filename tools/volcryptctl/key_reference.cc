#include "tools/volcryptctl/key_reference.h"

#include <string>

namespace volcrypt::ctl {

std::optional<v1::KeyReference> ParseKeyReference(absl::string_view text) {
  v1::KeyReference key;
  if (const size_t colon = text.find(':'); colon != absl::string_view::npos) {
    if (colon == 0) return std::nullopt;
    key.set_key_manager(std::string(text.substr(0, colon)));
    text.remove_prefix(colon + 1);
  }
  if (text.empty()) return std::nullopt;
  key.set_key_id(std::string(text));
  return key;
}

}  // namespace volcrypt::ctl
