#include "agent/keys/local/sqlite_database.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "encryptors/reason.h"

namespace volcrypt {
namespace {

constexpr absl::Duration kLongestWait = absl::Hours(1);
constexpr absl::Duration kRetryInterval = absl::Milliseconds(5);

}  // namespace

absl::StatusOr<std::unique_ptr<SqliteDatabase>> SqliteDatabase::Open(const std::string& path, absl::Time deadline) {
  std::unique_ptr<SqliteDatabase> database(new SqliteDatabase(path));
  sqlite3* handle = nullptr;
  const int result = sqlite3_open_v2(path.c_str(), &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
  database->database_.reset(handle);
  if (result != SQLITE_OK) return database->ErrorOf(result);
  sqlite3_extended_result_codes(handle, 1);
  database->WaitUntil(deadline);  // some of these read the database
  const absl::Status set_up = database->Execute(
      "PRAGMA synchronous=FULL;"
      "PRAGMA secure_delete=ON;"
      "PRAGMA foreign_keys=ON;"
      "PRAGMA trusted_schema=OFF;"
      "PRAGMA temp_store=MEMORY;");
  if (!set_up.ok()) return set_up;
  return database;
}

absl::Status SqliteDatabase::UseWriteAheadLog(absl::Time deadline) {
  while (true) {
    WaitUntil(deadline);
    absl::Status status = TryWriteAheadLog();
    // "Busy" comes at once when two connections want the change: neither could go on if both waited.
    if (!HasReason(status, Reason::kKeyManagerTimedOut) || absl::Now() >= deadline) return status;
    absl::SleepFor(kRetryInterval);
  }
}

absl::Status SqliteDatabase::TryWriteAheadLog() {
  absl::StatusOr<SqliteStatement> statement = Prepare("PRAGMA journal_mode=WAL");
  if (!statement.ok()) return statement.status();
  const absl::StatusOr<bool> row = statement->Step();
  if (!row.ok()) return row.status();
  if (*row && statement->ColumnText(0) == "wal") return absl::OkStatus();
  return MakeError(Reason::kKeyManagerUnavailable,
                   absl::StrCat("the key store ", path_,
                                " lies on a file system that cannot share memory between processes (SQLite's "
                                "write-ahead log needs it); move it to a local one"),
                   {{"path", path_}});
}

absl::Status SqliteDatabase::Execute(const char* sql) {
  const int result = sqlite3_exec(database_.get(), sql, nullptr, nullptr, nullptr);
  return result == SQLITE_OK ? absl::OkStatus() : ErrorOf(result);
}

absl::StatusOr<SqliteStatement> SqliteDatabase::Prepare(const char* sql) {
  sqlite3_stmt* statement = nullptr;
  const int result = sqlite3_prepare_v2(database_.get(), sql, -1, &statement, nullptr);
  if (result != SQLITE_OK) return ErrorOf(result);
  return SqliteStatement(*this, statement);
}

absl::StatusOr<int64_t> SqliteDatabase::QueryInt(const char* sql) {
  absl::StatusOr<SqliteStatement> statement = Prepare(sql);
  if (!statement.ok()) return statement.status();
  const absl::StatusOr<bool> row = statement->Step();
  if (!row.ok()) return row.status();
  return *row ? statement->ColumnInt(0) : 0;
}

absl::Status SqliteDatabase::InTransaction(Access access, absl::Time deadline, absl::FunctionRef<absl::Status()> body) {
  WaitUntil(deadline);
  absl::Status status = Execute(access == Access::kWrite ? "BEGIN IMMEDIATE" : "BEGIN");
  if (!status.ok()) return status;
  status = body();
  if (status.ok()) status = Execute("COMMIT");
  // A full disk and the like may have ended the transaction already.
  if (!status.ok() && sqlite3_get_autocommit(database_.get()) == 0) {
    return WithRollbackError(status, Execute("ROLLBACK"));
  }
  return status;
}

void SqliteDatabase::EmptyLog() {
  sqlite3_busy_timeout(database_.get(), 0);
  sqlite3_wal_checkpoint_v2(database_.get(), nullptr, SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
}

void SqliteDatabase::WaitUntil(absl::Time deadline) {
  const absl::Duration wait = std::clamp(deadline - absl::Now(), absl::ZeroDuration(), kLongestWait);
  sqlite3_busy_timeout(database_.get(), static_cast<int>(absl::ToInt64Milliseconds(wait)));
}

absl::Status SqliteDatabase::ErrorOf(int result) const {
  const int primary = result & 0xFF;
  if (primary == SQLITE_NOMEM) return MakeError(Reason::kOutOfMemory, "no memory is left for the key store");
  if (primary == SQLITE_BUSY || primary == SQLITE_LOCKED) {
    return MakeError(Reason::kKeyManagerTimedOut,
                     absl::StrCat("the key store ", path_, " was held by another process until the deadline; retry"),
                     {{"path", path_}});
  }
  const std::string text = database_ == nullptr ? sqlite3_errstr(result) : sqlite3_errmsg(database_.get());
  return MakeError(Reason::kKeyManagerUnavailable, absl::StrCat("the key store ", path_, " cannot be used: ", text),
                   {{"path", path_}, {"error", text}});
}

}  // namespace volcrypt
