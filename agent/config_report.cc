#include "agent/config_report.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace volcrypt {

void ConfigReport::Fail(const Place& place, const std::string& key, const std::string& what) {
  errors_.push_back({.file = place.file, .line = place.line, .key = key, .what = what});
}

ConfigReport::Place ConfigReport::PlaceOf(const std::vector<std::string>& keys) const {
  for (const std::string& key : keys) {
    if (const auto it = places_.find(key); it != places_.end()) return it->second;
  }
  return {.file = "built-in defaults", .line = 0};
}

bool ConfigReport::HasFailed(const std::string& key) const {
  return std::ranges::any_of(errors_, [&key](const ConfigError& error) {
    return error.key == key || absl::StartsWith(error.key, absl::StrCat(key, "["));
  });
}

}  // namespace volcrypt
