#include "agent/keys/local/key_table.h"

#include "absl/strings/str_cat.h"
#include "encryptors/reason.h"

namespace volcrypt {

absl::StatusOr<StoredKey> FindStoredKey(SqliteDatabase& database, const std::string& key_id) {
  absl::StatusOr<SqliteStatement> select = database.Prepare(
      "SELECT key_id, type, algorithm, bit_length, name, created_at, wrapped FROM keys WHERE key_id = ?1");
  if (!select.ok()) return select.status();
  const absl::StatusOr<bool> row = select->Text(1, key_id).Step();
  if (!row.ok()) return row.status();
  if (!*row) {
    return MakeError(Reason::kKeyNotFound, absl::StrCat("the key store has no key ", key_id), {{"key_id", key_id}});
  }
  StoredKey key;
  key.key_id = select->ColumnText(0);
  key.type = select->ColumnText(1);
  key.algorithm = select->ColumnText(2);
  key.bit_length = select->ColumnInt(3);
  key.name = select->ColumnText(4);
  key.created_at = absl::FromUnixSeconds(select->ColumnInt(5));
  const std::span<const uint8_t> wrapped = select->ColumnBlob(6);
  key.wrapped.assign(wrapped.begin(), wrapped.end());
  return key;
}

absl::Status InsertStoredKey(SqliteDatabase& database, const StoredKey& key) {
  absl::StatusOr<SqliteStatement> insert = database.Prepare(
      "INSERT INTO keys (key_id, type, algorithm, bit_length, name, created_at, wrapped) "
      "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)");
  if (!insert.ok()) return insert.status();
  return insert->Text(1, key.key_id)
      .Text(2, key.type)
      .Text(3, key.algorithm)
      .Int(4, key.bit_length)
      .Text(5, key.name)
      .Int(6, absl::ToUnixSeconds(key.created_at))
      .Blob(7, key.wrapped)
      .Run();
}

absl::Status DeleteStoredKey(SqliteDatabase& database, const std::string& key_id) {
  absl::StatusOr<SqliteStatement> statement = database.Prepare("DELETE FROM keys WHERE key_id = ?1");
  if (!statement.ok()) return statement.status();
  return statement->Text(1, key_id).Run();
}

}  // namespace volcrypt
