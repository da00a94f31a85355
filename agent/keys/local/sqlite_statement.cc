#include "agent/keys/local/sqlite_statement.h"

#include "agent/keys/local/sqlite_database.h"

namespace volcrypt {

SqliteStatement& SqliteStatement::Text(int index, std::string_view text) {
  // A null pointer would bind NULL instead of the empty text.
  const char* data = text.empty() ? "" : text.data();
  Remember(sqlite3_bind_text64(statement_.get(), index, data, text.size(), SQLITE_STATIC, SQLITE_UTF8));
  return *this;
}

SqliteStatement& SqliteStatement::Blob(int index, std::span<const uint8_t> bytes) {
  Remember(sqlite3_bind_blob64(statement_.get(), index, bytes.data(), bytes.size(), SQLITE_STATIC));
  return *this;
}

SqliteStatement& SqliteStatement::Int(int index, int64_t number) {
  Remember(sqlite3_bind_int64(statement_.get(), index, number));
  return *this;
}

void SqliteStatement::Remember(int result) {
  if (bind_result_ == SQLITE_OK) bind_result_ = result;
}

absl::StatusOr<bool> SqliteStatement::Step() {
  if (bind_result_ != SQLITE_OK) return database_->ErrorOf(bind_result_);
  const int result = sqlite3_step(statement_.get());
  if (result == SQLITE_ROW) return true;
  if (result == SQLITE_DONE) return false;
  return database_->ErrorOf(result);
}

absl::Status SqliteStatement::Run() { return Step().status(); }

std::string SqliteStatement::ColumnText(int column) const {
  const unsigned char* text = sqlite3_column_text(statement_.get(), column);
  if (text == nullptr) return {};
  return {reinterpret_cast<const char*>(text), static_cast<size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

std::span<const uint8_t> SqliteStatement::ColumnBlob(int column) const {
  const void* bytes = sqlite3_column_blob(statement_.get(), column);
  if (bytes == nullptr) return {};
  return {static_cast<const uint8_t*>(bytes), static_cast<size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

int64_t SqliteStatement::ColumnInt(int column) const { return sqlite3_column_int64(statement_.get(), column); }

}  // namespace volcrypt
