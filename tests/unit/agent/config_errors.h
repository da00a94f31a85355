#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <variant>
#include <vector>

#include "agent/config.h"
#include "agent/config_result.h"

namespace volcrypt {

inline std::vector<std::string> ErrorsOf(const ConfigResult& result) {
  std::vector<std::string> errors;
  for (const ConfigError& error : result.errors) errors.push_back(ToString(error));
  return errors;
}

inline std::vector<std::string> ErrorsOf(const std::string& text) { return ErrorsOf(ParseConfig(text, "f.toml")); }

inline const LocalKeyManagerConfig& LocalSection(const Config& config, const std::string& name) {
  return std::get<LocalKeyManagerConfig>(config.key_managers.sections.at(name));
}

// A text with one mistake in it.
struct WrongRow {
  std::string text;
  std::string key;
  std::string what;
};

inline std::ostream& operator<<(std::ostream& out, const WrongRow& row) { return out << row.text; }

// One mistake, one error: at `key`, saying `what`.
inline void ExpectReportedOnce(const WrongRow& row) {
  const ConfigResult result = ParseConfig(row.text, "f.toml");
  ASSERT_EQ(result.errors.size(), 1U) << row.text << testing::PrintToString(ErrorsOf(result));
  EXPECT_EQ(result.errors[0].key, row.key) << row.text;
  EXPECT_THAT(result.errors[0].what, testing::HasSubstr(row.what)) << row.text;
  EXPECT_GT(result.errors[0].line, 0U) << row.text;
}

}  // namespace volcrypt
