#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "agent/config.h"

namespace volcrypt {

// One thing wrong with the configuration: "FILE:LINE: key: what".
struct ConfigError {
  std::string file;
  uint32_t line = 0;  // 0: the file as a whole
  std::string key;
  std::string what;
};
std::string ToString(const ConfigError& error);

// Where a key was set.
struct ConfigPlace {
  std::string file;
  uint32_t line = 0;  // 0: the file as a whole
};

struct ConfigResult {
  Config config;
  std::vector<ConfigError> errors;            // the configuration may be used only when there is none
  std::map<std::string, ConfigPlace> places;  // of every key that a file sets, for checks that come later
};

// Reads `path` and then, in the order of their names, the *.toml files in the directory of the same name with ".d"
// for ".toml". A later file's key replaces an earlier one's; [[access]] tables replace all earlier ones. With
// `must_exist` a missing `path` is an error; a missing directory never is.
ConfigResult LoadConfig(const std::string& path, bool must_exist);

// The same for one text, for tests and fuzzing; `file` stands in the errors.
ConfigResult ParseConfig(std::string_view text, const std::string& file);

}  // namespace volcrypt
