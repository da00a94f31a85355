#pragma once

#include <toml++/toml.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "agent/config_report.h"

namespace volcrypt {

// One table of a configuration file: reads its keys by type and reports what is wrong with them instead of stopping.
// The keys that were asked for are the ones there are; Finish reports the rest as unknown.
class ConfigTable {
 public:
  // Says what is wrong with a value; empty: nothing.
  using Check = std::function<std::string(const std::string& value)>;

  // `path` is the table's own key, empty for the file itself. Table and report outlive this.
  ConfigTable(const toml::table& table, std::string file, std::string path, ConfigReport& report)
      : table_(table), file_(std::move(file)), path_(std::move(path)), report_(report) {}

  // Each sets `value` and answers true when the key is there and right; otherwise leaves it alone.
  bool Read(const std::string& key, std::string& value, const Check& check);
  bool Read(const std::string& key, bool& value);
  bool Read(const std::string& key, uint32_t& value, uint32_t least, uint32_t most);
  bool Read(const std::string& key, absl::Duration& value, absl::Duration least, absl::Duration most);
  // An empty list is wrong when `need_one`.
  bool Read(const std::string& key, std::vector<std::string>& value, const Check& check, bool need_one);

  // The table [PATH.KEY], or each of the tables [[PATH.KEY]]; nothing when absent or of another type.
  std::optional<ConfigTable> Table(const std::string& key);
  std::vector<ConfigTable> Tables(const std::string& key);
  // Every key of this table, for tables whose keys are names of the operator's choice.
  std::vector<std::string> Keys() const;

  bool Has(const std::string& key) const { return table_.contains(key); }
  // With the line of the key, or of the table when it has no such key.
  void Fail(const std::string& key, const std::string& what);
  void FailTable(const std::string& what);
  void Finish();

  const std::string& Path() const { return path_; }

 private:
  const toml::node* Find(const std::string& key);
  std::string PathOf(const std::string& key) const;
  ConfigReport::Place PlaceOf(const toml::source_region& source) const;
  void FailType(const std::string& key, const toml::node& found, const std::string& wanted);
  // Nothing when the element is wrong.
  bool ReadText(const std::string& path, const toml::node& node, std::string& value, const Check& check);

  const toml::table& table_;
  std::string file_;
  std::string path_;
  ConfigReport& report_;
  std::set<std::string> known_;
  bool has_sections_ = false;  // the file itself, when it is asked for tables
};

// A check for values that are one of a few words.
ConfigTable::Check OneOf(std::vector<std::string> words);
// For keys that may be empty, which is as good as absent.
ConfigTable::Check OrEmpty(std::string (*check)(const std::string& value));

}  // namespace volcrypt
