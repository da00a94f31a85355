#include "encryptors/luks_header.h"

#include <json-c/json.h>

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "encryptors/json_object.h"
#include "encryptors/reason.h"
#include "encryptors/volume_id.h"

namespace volcrypt {
namespace {

constexpr int64_t kTokenVersion = 1;
constexpr size_t kMaxTokenText = 256;

bool IsPlainText(const std::string& text) {
  return text.size() <= kMaxTokenText &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f && c != '"' && c != '\\'; });
}

Keyslot ReadKeyslot(crypt_device* device, int slot) {
  Keyslot keyslot{.index = static_cast<uint32_t>(slot)};
  crypt_pbkdf_type pbkdf = {};
  if (crypt_keyslot_get_pbkdf(device, slot, &pbkdf) == 0) {
    keyslot.pbkdf = pbkdf.type == nullptr ? "" : pbkdf.type;
    keyslot.iterations = pbkdf.iterations;
    keyslot.memory_kib = pbkdf.max_memory_kb;
    keyslot.parallelism = pbkdf.parallel_threads;
  }
  size_t key_size = 0;
  const char* cipher = crypt_keyslot_get_encryption(device, slot, &key_size);
  keyslot.cipher = cipher == nullptr ? "" : cipher;
  return keyslot;
}

std::string TextOrEmpty(const char* text) { return text == nullptr ? "" : text; }

void ReadTokens(crypt_device* device, LuksHeader& header) {
  for (int token = 0; token < crypt_token_max(CRYPT_LUKS2); ++token) {
    const char* type = nullptr;
    const char* json = nullptr;
    if (crypt_token_status(device, token, &type) == CRYPT_TOKEN_INACTIVE || type == nullptr ||
        absl::string_view(type) != "volcrypt" || crypt_token_json_get(device, token, &json) < 0) {
      continue;
    }
    if (const std::optional<VolcryptToken> parsed = ParseTokenJson(json)) {
      header.volume_id = parsed->volume_id;
      header.key = parsed->key;
      return;
    }
  }
}

}  // namespace

std::string ToTokenJson(const VolcryptToken& token) {
  const JsonObject json(json_object_new_object());
  const JsonObject keyslots(json_object_new_array());
  json_object_array_add(keyslots.get(), json_object_new_string("0"));
  const auto add = [&](const char* name, const std::string& value) {
    json_object_object_add(json.get(), name, json_object_new_string(value.c_str()));
  };
  add("type", "volcrypt");
  json_object_object_add(json.get(), "version", json_object_new_int64(kTokenVersion));
  json_object_object_add(json.get(), "keyslots", json_object_get(keyslots.get()));
  add("volume_id", token.volume_id);
  add("key_manager", token.key.key_manager);
  add("key_id", token.key.key_id);
  add("created_at", absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", token.created_at, absl::UTCTimeZone()));
  json_object_object_add(json.get(), "generation", json_object_new_int64(token.generation));
  return json_object_to_json_string_ext(json.get(), JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
}

std::optional<VolcryptToken> ParseTokenJson(const std::string& text) {
  const JsonObject json = ParseJson(text);
  if (JsonText(json.get(), "type") != "volcrypt") return std::nullopt;
  VolcryptToken token{.volume_id = JsonText(json.get(), "volume_id"),
                      .key = {JsonText(json.get(), "key_manager"), JsonText(json.get(), "key_id")},
                      .generation = static_cast<uint32_t>(JsonNumber(json.get(), "generation").value_or(1))};
  std::string error;
  if (!IsValidVolumeId(token.volume_id) || !IsPlainText(token.key.key_manager) || !IsPlainText(token.key.key_id) ||
      !absl::ParseTime("%Y-%m-%dT%H:%M:%SZ", JsonText(json.get(), "created_at"), &token.created_at, &error)) {
    return std::nullopt;
  }
  return token;
}

LuksHeader ReadLuksHeader(crypt_device* device) {
  const absl::string_view type = TextOrEmpty(crypt_get_type(device)) == CRYPT_LUKS2 ? CRYPT_LUKS2 : CRYPT_LUKS1;
  LuksHeader header{.uuid = TextOrEmpty(crypt_get_uuid(device)),
                    .encryption = {.format = type == CRYPT_LUKS2 ? Format::kLuks2 : Format::kLuks1,
                                   .cipher = absl::StrCat(TextOrEmpty(crypt_get_cipher(device)), "-",
                                                          TextOrEmpty(crypt_get_cipher_mode(device))),
                                   .key_size_bits = static_cast<uint32_t>(crypt_get_volume_key_size(device)) * 8,
                                   .sector_size_bytes = static_cast<uint32_t>(crypt_get_sector_size(device))},
                    .label = type == CRYPT_LUKS2 ? TextOrEmpty(crypt_get_label(device)) : "",
                    .data_offset_bytes = crypt_get_data_offset(device) * 512};
  for (int slot = 0; slot < crypt_keyslot_max(type.data()); ++slot) {
    const crypt_keyslot_info status = crypt_keyslot_status(device, slot);
    // An unbound one holds no key of the data, but where it is, nothing was erased and no format was interrupted.
    if (status == CRYPT_SLOT_ACTIVE || status == CRYPT_SLOT_ACTIVE_LAST || status == CRYPT_SLOT_UNBOUND) {
      header.keyslots.push_back(ReadKeyslot(device, slot));
    }
  }
  if (type == CRYPT_LUKS2) ReadTokens(device, header);
  return header;
}

}  // namespace volcrypt
