#include "agent/keys/local/first_use_table.h"

#include <utility>

namespace volcrypt {
namespace {

constexpr std::string_view kClaimed = "claimed";
constexpr std::string_view kFormatted = "formatted";

// Columns volume_id, state, host, luks_uuid.
FirstUseRecord RecordOfRow(const SqliteStatement& row) {
  FirstUseRecord record;
  record.volume_id = row.ColumnText(0);
  // An unknown state counts as formatted: a record only ever forbids.
  record.state = row.ColumnText(1) == kClaimed ? FirstUseRecord::State::kClaimed : FirstUseRecord::State::kFormatted;
  record.host = row.ColumnText(2);
  record.luks_uuid = row.ColumnText(3);
  return record;
}

absl::Status DeleteWhere(SqliteDatabase& database, const char* sql, const std::string& value) {
  absl::StatusOr<SqliteStatement> statement = database.Prepare(sql);
  if (!statement.ok()) return statement.status();
  return statement->Text(1, value).Run();
}

}  // namespace

absl::StatusOr<std::optional<FirstUseRecord>> FindFirstUse(SqliteDatabase& database, const std::string& key_id,
                                                           const std::string& volume_id) {
  absl::StatusOr<SqliteStatement> select = database.Prepare(
      "SELECT volume_id, state, host, luks_uuid FROM first_uses WHERE volume_id IN (?1, lower(?1)) "
      "ORDER BY state = 'claimed', key_id <> ?2, created_at, key_id LIMIT 1");
  if (!select.ok()) return select.status();
  const absl::StatusOr<bool> row = select->Text(1, volume_id).Text(2, key_id).Step();
  if (!row.ok()) return row.status();
  if (!*row) return std::nullopt;
  return RecordOfRow(*select);
}

absl::StatusOr<std::vector<FirstUseRecord>> FirstUsesOfKey(SqliteDatabase& database, const std::string& key_id) {
  absl::StatusOr<SqliteStatement> select =
      database.Prepare("SELECT volume_id, state, host, luks_uuid FROM first_uses WHERE key_id = ?1 ORDER BY volume_id");
  if (!select.ok()) return select.status();
  select->Text(1, key_id);
  std::vector<FirstUseRecord> records;
  while (true) {
    const absl::StatusOr<bool> row = select->Step();
    if (!row.ok()) return row.status();
    if (!*row) return records;
    records.push_back(RecordOfRow(*select));
  }
}

absl::Status PutFirstUse(SqliteDatabase& database, const std::string& key_id, const FirstUseRecord& record,
                         absl::Time now) {
  absl::StatusOr<SqliteStatement> put = database.Prepare(
      "INSERT INTO first_uses (key_id, volume_id, state, host, luks_uuid, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6) "
      "ON CONFLICT (key_id, volume_id) DO UPDATE SET state = ?3, host = ?4, luks_uuid = ?5");
  if (!put.ok()) return put.status();
  const bool claimed = record.state == FirstUseRecord::State::kClaimed;
  return put->Text(1, key_id)
      .Text(2, record.volume_id)
      .Text(3, claimed ? kClaimed : kFormatted)
      .Text(4, record.host)
      .Text(5, record.luks_uuid)
      .Int(6, absl::ToUnixSeconds(now))
      .Run();
}

absl::Status DropFirstUsesOfVolume(SqliteDatabase& database, const std::string& volume_id) {
  return DeleteWhere(database, "DELETE FROM first_uses WHERE volume_id IN (?1, lower(?1))", volume_id);
}

absl::Status DropFirstUsesOfKey(SqliteDatabase& database, const std::string& key_id) {
  return DeleteWhere(database, "DELETE FROM first_uses WHERE key_id = ?1", key_id);
}

}  // namespace volcrypt
