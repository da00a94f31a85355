#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace volcrypt {

class SqliteDatabase;

// One prepared statement with its values. What a value or a step failed with is answered by Step().
class SqliteStatement {
 public:
  // Values are numbered from 1. The statement keeps no copy: text and bytes outlive the last Step().
  SqliteStatement& Text(int index, std::string_view text);
  SqliteStatement& Blob(int index, std::span<const uint8_t> bytes);
  SqliteStatement& Int(int index, int64_t number);

  // True with a row, false at the end.
  absl::StatusOr<bool> Step();
  // For a statement that yields no rows.
  absl::Status Run();

  // Columns of the row, numbered from 0. What Blob() gives lives until the next Step().
  std::string ColumnText(int column) const;
  std::span<const uint8_t> ColumnBlob(int column) const;
  int64_t ColumnInt(int column) const;

 private:
  friend class SqliteDatabase;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };

  SqliteStatement(const SqliteDatabase& database, sqlite3_stmt* statement)
      : database_(&database), statement_(statement) {}
  void Remember(int result);

  const SqliteDatabase* database_;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  int bind_result_ = SQLITE_OK;
};

}  // namespace volcrypt
