#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/keys/local/sqlite_database.h"

namespace volcrypt {

// The version that this program writes (PRAGMA user_version).
inline constexpr int kStoreSchemaVersion = 1;

// Refuses a database of another program and one of a newer schema. False when it is empty. To be called in a
// transaction.
absl::StatusOr<bool> StoreHasSchema(SqliteDatabase& database);

// Makes the tables where StoreHasSchema() says that there are none. To be called in a write transaction.
absl::Status PrepareStoreSchema(SqliteDatabase& database);

}  // namespace volcrypt
