// Fields of parsed JSON, whatever their type turns out to be. For the files that parse answers, and no others.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace volcrypt {

// Discarded (is_discarded()) when the text is not JSON; does not throw.
inline nlohmann::json ParseJson(absl::string_view text) {
  return nlohmann::json::parse(text.begin(), text.end(), nullptr, false);
}

// Null for what is not an object, and for a member that is not there.
inline const nlohmann::json* MemberOf(const nlohmann::json& value, const char* name) {
  if (!value.is_object()) return nullptr;
  const auto found = value.find(name);
  return found == value.end() ? nullptr : &*found;
}

// Empty when there is no such text.
inline std::string TextOf(const nlohmann::json& value, const char* name) {
  const nlohmann::json* const member = MemberOf(value, name);
  return member == nullptr || !member->is_string() ? std::string() : member->get<std::string>();
}

// A whole number that is not negative.
inline std::optional<uint64_t> NumberOf(const nlohmann::json& value, const char* name) {
  const nlohmann::json* const member = MemberOf(value, name);
  if (member == nullptr || !member->is_number_unsigned()) return std::nullopt;
  return member->get<uint64_t>();
}

// For names of callers' choice that may be no UTF-8: the library would throw.
inline std::string TextOfJson(const nlohmann::json& value) {
  return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace volcrypt
