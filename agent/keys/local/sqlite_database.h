#pragma once

#include <sqlite3.h>

#include <memory>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/keys/local/sqlite_statement.h"

namespace volcrypt {

// One connection to the database file of a key store. Not thread-safe; its owner has a lock.
//
// Errors: KEY_MANAGER_TIMED_OUT when another connection held the database until the deadline, OUT_OF_MEMORY,
// KEY_MANAGER_UNAVAILABLE with SQLite's text for the rest. That text names tables and columns, never values.
class SqliteDatabase {
 public:
  enum class Access { kRead, kWrite };

  // Opens a file that exists, and changes nothing in it; an empty one is an empty database. Every change will be on the
  // disk when it is committed, and what is deleted is overwritten.
  static absl::StatusOr<std::unique_ptr<SqliteDatabase>> Open(const std::string& path, absl::Time deadline);

  SqliteDatabase(const SqliteDatabase&) = delete;
  SqliteDatabase& operator=(const SqliteDatabase&) = delete;

  const std::string& Path() const { return path_; }

  // Changes the database to a write-ahead log, which lets readers and one writer go on side by side.
  absl::Status UseWriteAheadLog(absl::Time deadline);

  absl::Status Execute(const char* sql);
  // `sql` is one statement.
  absl::StatusOr<SqliteStatement> Prepare(const char* sql);
  // The number that a one-row, one-column query yields.
  absl::StatusOr<int64_t> QueryInt(const char* sql);

  // Runs `body` as one transaction, undone when it answers an error. Access::kWrite takes the write lock first, so that
  // what `body` reads still stands when it writes. Waits for other connections until the deadline.
  absl::Status InTransaction(Access access, absl::Time deadline, absl::FunctionRef<absl::Status()> body);

  // Moves what the log holds into the database and empties the log, as far as other connections let it.
  void EmptyLog();

  // For SqliteStatement: SQLite's result as an error of ours.
  absl::Status ErrorOf(int result) const;

 private:
  struct Close {
    void operator()(sqlite3* database) const { sqlite3_close(database); }
  };

  explicit SqliteDatabase(std::string path) : path_(std::move(path)) {}
  absl::Status TryWriteAheadLog();
  void WaitUntil(absl::Time deadline);

  const std::string path_;
  std::unique_ptr<sqlite3, Close> database_;
};

}  // namespace volcrypt
