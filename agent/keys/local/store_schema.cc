#include "agent/keys/local/store_schema.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "encryptors/reason.h"

namespace volcrypt {
namespace {

constexpr int64_t kApplicationId = 0x76634B53;  // "vcKS"

// The numbers above, once more: PRAGMA takes no values.
constexpr char kCreateTables[] = R"(
    CREATE TABLE kek_check (
      id INTEGER PRIMARY KEY CHECK (id = 1),
      wrapped BLOB NOT NULL
    ) STRICT;
    CREATE TABLE keys (
      key_id TEXT PRIMARY KEY,
      type TEXT NOT NULL,
      algorithm TEXT NOT NULL,
      bit_length INTEGER NOT NULL,
      name TEXT NOT NULL,
      created_at INTEGER NOT NULL,
      wrapped BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE first_uses (
      key_id TEXT NOT NULL REFERENCES keys (key_id),
      volume_id TEXT NOT NULL,
      state TEXT NOT NULL,
      host TEXT NOT NULL,
      luks_uuid TEXT NOT NULL,
      created_at INTEGER NOT NULL,
      PRIMARY KEY (key_id, volume_id)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX first_uses_by_volume ON first_uses (volume_id);
    PRAGMA application_id = 0x76634B53;
    PRAGMA user_version = 1;
)";
static_assert(kStoreSchemaVersion == 1 && kApplicationId == 0x76634B53);

absl::Status Refusal(const SqliteDatabase& database, absl::string_view problem) {
  return MakeError(Reason::kKeyManagerUnavailable, absl::StrCat("the key store ", database.Path(), " ", problem),
                   {{"path", database.Path()}});
}

}  // namespace

absl::StatusOr<bool> StoreHasSchema(SqliteDatabase& database) {
  const absl::StatusOr<int64_t> application = database.QueryInt("PRAGMA application_id");
  if (!application.ok()) return application.status();
  const absl::StatusOr<int64_t> version = database.QueryInt("PRAGMA user_version");
  if (!version.ok()) return version.status();
  const absl::StatusOr<int64_t> tables = database.QueryInt("SELECT count(*) FROM sqlite_schema");
  if (!tables.ok()) return tables.status();

  if (*application == 0 && *version == 0 && *tables == 0) return false;
  if (*application != kApplicationId) return Refusal(database, "is a database of another program");
  if (*version > kStoreSchemaVersion) {
    return Refusal(database, absl::StrCat("was written by a newer volcrypt (schema ", *version, ", this one knows ",
                                          kStoreSchemaVersion, "); upgrade volcrypt or restore an older store"));
  }
  if (*version < kStoreSchemaVersion) return Refusal(database, absl::StrCat("has the unknown schema ", *version));
  return true;
}

absl::Status PrepareStoreSchema(SqliteDatabase& database) {
  const absl::StatusOr<bool> has_schema = StoreHasSchema(database);
  if (!has_schema.ok()) return has_schema.status();
  return *has_schema ? absl::OkStatus() : database.Execute(kCreateTables);
}

}  // namespace volcrypt
