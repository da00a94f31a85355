#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/config_report.h"

namespace volcrypt {

// The largest file that is read. It also bounds how deep dotted keys nest: toml++ takes its tables apart recursively,
// and a file of this size takes half of the usual stack.
inline constexpr size_t kMaxConfigFileBytes = size_t{32} * 1024;

// The file's text; reported, and nothing, when it cannot be read or is too large. A file that is not there is reported
// when it must exist.
std::optional<std::string> ReadConfigText(const std::string& path, ConfigReport& report, bool must_exist = true);

// The directory's *.toml files in the order of their names; none when it is not there. An editor's hidden copies are
// not meant.
std::vector<std::string> TomlFilesIn(const std::string& directory, ConfigReport& report);

}  // namespace volcrypt
