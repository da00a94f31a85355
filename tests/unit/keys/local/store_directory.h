#pragma once

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <utility>

#include "absl/time/clock.h"
#include "agent/keys/local/local_key_store.h"
#include "encryptors/reason.h"
#include "tests/unit/temp_directory.h"

namespace volcrypt {

inline absl::Time Soon() { return absl::Now() + absl::Seconds(30); }

// A private directory with a store in it, for one test.
class StoreDirectory : public testing::Test {
 protected:
  absl::StatusOr<std::unique_ptr<LocalKeyStore>> TryOpen(const std::string& kek_file = "") const {
    return LocalKeyStore::Open({.path = path_, .kek_file = kek_file});
  }

  std::unique_ptr<LocalKeyStore> OpenStore() const {
    absl::StatusOr<std::unique_ptr<LocalKeyStore>> store = TryOpen();
    EXPECT_TRUE(store.ok()) << store.status();
    return store.ok() ? *std::move(store) : nullptr;
  }

  // Changes the file behind the store's back.
  void ChangeStore(const std::string& sql) const {
    absl::StatusOr<std::unique_ptr<SqliteDatabase>> database = SqliteDatabase::Open(path_, Soon());
    ASSERT_TRUE(database.ok()) << database.status();
    const absl::Status changed = (*database)->Execute(("PRAGMA foreign_keys=OFF;" + sql).c_str());
    ASSERT_TRUE(changed.ok()) << changed;
  }

  static void WriteFile(const std::string& path, const std::string& content, mode_t mode = 0600) {
    std::ofstream(path, std::ios::binary) << content;
    ASSERT_EQ(chmod(path.c_str(), mode), 0);
  }
  static std::string ReadFile(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  static mode_t ModeOf(const std::string& path) {
    struct stat status = {};
    return stat(path.c_str(), &status) == 0 ? status.st_mode & 07777 : 0;
  }

  static std::string NewKeyIn(LocalKeyStore& store, uint32_t bits = 256) {
    const absl::StatusOr<std::string> id = store.Create({.bit_length = bits, .name = "test"}, Soon());
    EXPECT_TRUE(id.ok()) << id.status();
    return id.ok() ? *id : "";
  }

  // Streamed into failures in the place of key bytes.
  static std::string ReasonText(const absl::Status& status) {
    const std::optional<Reason> reason = ReasonOf(status);
    return reason ? std::string(ReasonName(*reason)) : status.ok() ? "OK" : "no reason";
  }

  TempDirectory directory_;
  const std::string path_ = directory_.Path("keys.db");
  const std::string kek_path_ = directory_.Path("keys.kek");
};

}  // namespace volcrypt
