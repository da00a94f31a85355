// The store's first-use records, one row for a key and a volume. Every call is part of its caller's transaction. A
// volume's id is found in lower case too: so Barbican keeps it, from where records are carried over.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/keys/key_manager.h"
#include "agent/keys/local/sqlite_database.h"

namespace volcrypt {

// The record that forbids most among those of the volume under any key: a formatted one before a claimed one, then one
// of `key_id` before one of another key, then the oldest.
absl::StatusOr<std::optional<FirstUseRecord>> FindFirstUse(SqliteDatabase& database, const std::string& key_id,
                                                           const std::string& volume_id);

// In the order of volume ids.
absl::StatusOr<std::vector<FirstUseRecord>> FirstUsesOfKey(SqliteDatabase& database, const std::string& key_id);

// Replaces the record of this key and volume.
absl::Status PutFirstUse(SqliteDatabase& database, const std::string& key_id, const FirstUseRecord& record,
                         absl::Time now);

absl::Status DropFirstUsesOfVolume(SqliteDatabase& database, const std::string& volume_id);
absl::Status DropFirstUsesOfKey(SqliteDatabase& database, const std::string& key_id);

}  // namespace volcrypt
