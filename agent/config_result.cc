#include "agent/config_result.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "agent/config_files.h"
#include "agent/config_reader.h"

namespace volcrypt {
namespace {

constexpr char kTomlEnding[] = ".toml";

std::string DropInDirectory(const std::string& path) {
  const size_t ending = sizeof(kTomlEnding) - 1;
  return absl::StrCat(absl::EndsWith(path, kTomlEnding) ? path.substr(0, path.size() - ending) : path, ".d");
}

}  // namespace

std::string ToString(const ConfigError& error) {
  return absl::StrCat(error.file, error.line == 0 ? "" : absl::StrCat(":", error.line), ": ",
                      error.key.empty() ? "" : absl::StrCat(error.key, ": "), error.what);
}

ConfigResult LoadConfig(const std::string& path, bool must_exist) {
  ConfigReader reader;
  if (const auto text = ReadConfigText(path, reader.Report(), must_exist)) reader.Add(*text, path);
  for (const std::string& drop_in : TomlFilesIn(DropInDirectory(path), reader.Report())) {
    if (const auto text = ReadConfigText(drop_in, reader.Report())) reader.Add(*text, drop_in);
  }
  return reader.Finish();
}

ConfigResult ParseConfig(std::string_view text, const std::string& file) {
  ConfigReader reader;
  reader.Add(text, file);
  return reader.Finish();
}

}  // namespace volcrypt
