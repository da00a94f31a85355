// What the embedded key store takes in, and the words of its rows.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "agent/keys/key_manager.h"

namespace volcrypt {

// The type of a key as it stands in a row; nothing for what is no type of this schema.
std::string KeyTypeWord(KeyType type);
std::optional<KeyType> ParseKeyTypeWord(std::string_view word);

// Symmetric keys of 128 bits or more do.
bool CountsAsRandom(KeyType type, int64_t bit_length);

// INVALID_FIELD, KEY_UNFIT, INVALID_VOLUME_ID.
absl::Status CheckNewKey(const NewKey& key);
absl::Status CheckCopy(const Key& key, const KeyCopy& copy);
absl::Status CheckRecord(const FirstUseRecord& record);

// The refusal to delete a key that these volumes were formatted with.
absl::Status KeyInUse(const std::string& key_id, const std::vector<FirstUseRecord>& records);

}  // namespace volcrypt
