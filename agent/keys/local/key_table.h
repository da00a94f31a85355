// The store's keys, wrapped. Every call is part of its caller's transaction.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/keys/local/sqlite_database.h"

namespace volcrypt {

struct StoredKey {
  std::string key_id;
  std::string type;
  std::string algorithm;
  int64_t bit_length = 0;
  std::string name;
  absl::Time created_at;
  std::vector<uint8_t> wrapped;  // see key_wrap.h
};

// KEY_NOT_FOUND.
absl::StatusOr<StoredKey> FindStoredKey(SqliteDatabase& database, const std::string& key_id);
absl::Status InsertStoredKey(SqliteDatabase& database, const StoredKey& key);
absl::Status DeleteStoredKey(SqliteDatabase& database, const std::string& key_id);

}  // namespace volcrypt
