#include "agent/config_table.h"

#include <algorithm>
#include <sstream>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/config_values.h"

namespace volcrypt {
namespace {

std::string TypeName(const toml::node& node) {
  std::ostringstream name;
  name << node.type();
  return name.str();
}

// No path, name or word has any; TOML can spell them all, NUL too.
bool HasControlCharacters(const std::string& text) {
  return std::ranges::any_of(text, [](char c) { return absl::ascii_iscntrl(static_cast<unsigned char>(c)); });
}

// A key as it stands in the messages: quoted where TOML wants it so.
std::string Shown(const std::string& key) {
  const bool is_bare = !key.empty() && key.size() <= 64 && std::ranges::all_of(key, [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-';
  });
  return is_bare ? key : Quoted(key);
}

std::string WithUnit(absl::Duration duration) {
  return absl::StrCat("\"",
                      absl::ToInt64Milliseconds(duration) % 1000 == 0
                          ? absl::StrCat(absl::ToInt64Seconds(duration), "s")
                          : absl::StrCat(absl::ToInt64Milliseconds(duration), "ms"),
                      "\"");
}

}  // namespace

bool ConfigTable::Read(const std::string& key, std::string& value, const Check& check) {
  const toml::node* const node = Find(key);
  return node != nullptr && ReadText(PathOf(key), *node, value, check);
}

bool ConfigTable::Read(const std::string& key, bool& value) {
  const toml::node* const node = Find(key);
  if (node == nullptr) return false;
  const auto* const boolean = node->as_boolean();
  if (boolean == nullptr) {
    FailType(key, *node, "true or false, without quotation marks");
    return false;
  }
  value = boolean->get();
  return true;
}

bool ConfigTable::Read(const std::string& key, uint32_t& value, uint32_t least, uint32_t most) {
  const toml::node* const node = Find(key);
  if (node == nullptr) return false;
  const auto* const number = node->as_integer();
  if (number == nullptr) {
    FailType(key, *node, "an integer");
    return false;
  }
  if (number->get() < least || number->get() > most) {
    Fail(key, absl::StrCat(number->get(), " is not within ", least, " and ", most));
    return false;
  }
  value = static_cast<uint32_t>(number->get());
  return true;
}

bool ConfigTable::Read(const std::string& key, absl::Duration& value, absl::Duration least, absl::Duration most) {
  const toml::node* const node = Find(key);
  if (node == nullptr) return false;
  const auto* const text = node->as_string();
  if (text == nullptr) {
    FailType(key, *node, "a duration, for example \"60s\"");
    return false;
  }
  const std::optional<absl::Duration> duration = ParseConfigDuration(text->get());
  if (!duration) {
    Fail(key, absl::StrCat(Quoted(text->get()), " is no duration; write a whole number with ms, s, m or h: \"60s\""));
    return false;
  }
  if (*duration < least || *duration > most) {
    Fail(key, absl::StrCat(Quoted(text->get()), " is not within ", WithUnit(least), " and ", WithUnit(most)));
    return false;
  }
  value = *duration;
  return true;
}

bool ConfigTable::Read(const std::string& key, std::vector<std::string>& value, const Check& check, bool need_one) {
  const toml::node* const node = Find(key);
  if (node == nullptr) return false;
  const toml::array* const array = node->as_array();
  if (array == nullptr) {
    FailType(key, *node, "a list of strings");
    return false;
  }
  if (need_one && array->empty()) {
    Fail(key, "is empty; it needs at least one entry");
    return false;
  }
  std::vector<std::string> read(array->size());
  bool right = true;
  for (size_t i = 0; i < array->size(); ++i) {
    right = ReadText(absl::StrCat(PathOf(key), "[", i, "]"), *array->get(i), read[i], check) && right;
  }
  if (right) value = std::move(read);
  return right;
}

bool ConfigTable::ReadText(const std::string& path, const toml::node& node, std::string& value, const Check& check) {
  const auto* const text = node.as_string();
  std::string wrong;
  if (text == nullptr) {
    wrong = absl::StrCat("is of type ", TypeName(node), "; it must be a string, in quotation marks");
  } else if (HasControlCharacters(text->get())) {
    wrong = "must not contain control characters";
  } else {
    wrong = check(text->get());
  }
  if (!wrong.empty()) {
    report_.Fail(PlaceOf(node.source()), path, wrong);
    return false;
  }
  value = text->get();
  return true;
}

std::optional<ConfigTable> ConfigTable::Table(const std::string& key) {
  has_sections_ = path_.empty();
  const toml::node* const node = Find(key);
  if (node == nullptr) return std::nullopt;
  if (node->as_table() == nullptr) {
    FailType(key, *node, absl::StrCat("a table, [", PathOf(key), "]"));
    return std::nullopt;
  }
  return ConfigTable(*node->as_table(), file_, PathOf(key), report_);
}

std::vector<ConfigTable> ConfigTable::Tables(const std::string& key) {
  has_sections_ = path_.empty();
  const toml::node* const node = Find(key);
  if (node == nullptr) return {};
  const std::string wanted = absl::StrCat("a list of tables, [[", PathOf(key), "]]");
  const toml::array* const array = node->as_array();
  if (array == nullptr) {
    FailType(key, *node, wanted);
    return {};
  }
  std::vector<ConfigTable> tables;
  for (size_t i = 0; i < array->size(); ++i) {
    const toml::table* const table = array->get(i)->as_table();
    if (table == nullptr) {
      FailType(key, *array->get(i), wanted);
      continue;
    }
    tables.emplace_back(*table, file_, absl::StrCat(PathOf(key), "[", i, "]"), report_);
  }
  return tables;
}

std::vector<std::string> ConfigTable::Keys() const {
  std::vector<std::string> keys;
  for (const auto& [key, node] : table_) keys.emplace_back(key.str());
  return keys;
}

void ConfigTable::Fail(const std::string& key, const std::string& what) {
  const toml::node* const node = table_.get(key);
  report_.Fail(PlaceOf((node == nullptr ? table_ : *node).source()), PathOf(key), what);
}

void ConfigTable::FailTable(const std::string& what) { report_.Fail(PlaceOf(table_.source()), path_, what); }

void ConfigTable::Finish() {
  for (const auto& [key, node] : table_) {
    const std::string name(key.str());
    if (known_.contains(name)) continue;
    report_.Fail(PlaceOf(key.source()), PathOf(name),
                 absl::StrCat("is unknown; ", has_sections_ ? "the sections are: " : "the keys here are: ",
                              absl::StrJoin(known_, ", ")));
  }
}

const toml::node* ConfigTable::Find(const std::string& key) {
  known_.insert(key);
  const toml::node* const node = table_.get(key);
  if (node != nullptr) report_.Remember(PathOf(key), PlaceOf(node->source()));
  return node;
}

std::string ConfigTable::PathOf(const std::string& key) const {
  return path_.empty() ? Shown(key) : absl::StrCat(path_, ".", Shown(key));
}

ConfigReport::Place ConfigTable::PlaceOf(const toml::source_region& source) const {
  return {.file = file_, .line = source.begin.line};
}

void ConfigTable::FailType(const std::string& key, const toml::node& found, const std::string& wanted) {
  report_.Fail(PlaceOf(found.source()), PathOf(key),
               absl::StrCat("is of type ", TypeName(found), "; it must be ", wanted));
}

ConfigTable::Check OneOf(std::vector<std::string> words) {
  return [words = std::move(words)](const std::string& value) {
    if (std::ranges::find(words, value) != words.end()) return std::string();
    return absl::StrCat(Quoted(value), " is unknown; write one of: ", absl::StrJoin(words, ", "));
  };
}

ConfigTable::Check OrEmpty(std::string (*check)(const std::string& value)) {
  return [check](const std::string& value) { return value.empty() ? "" : check(value); };
}

}  // namespace volcrypt
