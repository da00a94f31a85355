#include "tools/volcryptctl/key_values.h"

#include <algorithm>

#include "tools/volcryptctl/printable.h"

namespace volcrypt::ctl {

void KeyValues::Add(absl::string_view key, absl::string_view value) {
  if (!value.empty()) lines_.emplace_back(key, Printable(value));
}

void KeyValues::Print(std::ostream& out) const {
  size_t width = 0;
  for (const auto& [key, value] : lines_) width = std::max(width, key.size());
  for (const auto& [key, value] : lines_) {
    out << key << ':' << std::string(width - key.size() + 1, ' ') << value << '\n';
  }
}

}  // namespace volcrypt::ctl
