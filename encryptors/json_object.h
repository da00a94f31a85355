#pragma once

#include <json-c/json.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace volcrypt {

struct JsonObjectDeleter {
  void operator()(json_object* object) const { json_object_put(object); }
};
// The one owner of a json-c reference. json-c is what libcryptsetup itself reads LUKS2 headers with.
using JsonObject = std::unique_ptr<json_object, JsonObjectDeleter>;

// Nothing when the text is not one JSON object. json-c bounds the depth itself (32).
inline JsonObject ParseJson(const std::string& text) {
  JsonObject object(json_tokener_parse(text.c_str()));
  if (object && json_object_get_type(object.get()) != json_type_object) object.reset();
  return object;
}

// A member, borrowed; null when there is none or `object` is no object.
inline json_object* JsonMember(json_object* object, const char* name) {
  json_object* member = nullptr;
  if (object == nullptr || json_object_get_type(object) != json_type_object) return nullptr;
  return json_object_object_get_ex(object, name, &member) != 0 ? member : nullptr;
}

// Empty when the member is absent or no string.
inline std::string JsonText(json_object* object, const char* name) {
  json_object* member = JsonMember(object, name);
  if (member == nullptr || json_object_get_type(member) != json_type_string) return "";
  return {json_object_get_string(member), static_cast<size_t>(json_object_get_string_len(member))};
}

// LUKS2 writes 64-bit numbers as decimal strings and small ones as numbers; both are read here.
inline std::optional<uint64_t> JsonNumber(json_object* object, const char* name) {
  json_object* member = JsonMember(object, name);
  if (member == nullptr) return std::nullopt;
  if (json_object_get_type(member) == json_type_int) {
    const int64_t number = json_object_get_int64(member);
    if (number < 0) return std::nullopt;
    return static_cast<uint64_t>(number);
  }
  if (json_object_get_type(member) != json_type_string) return std::nullopt;
  const std::string text = json_object_get_string(member);
  if (text.empty() || text.size() > 19 || text.find_first_not_of("0123456789") != std::string::npos)
    return std::nullopt;
  return std::stoull(text);
}

}  // namespace volcrypt
