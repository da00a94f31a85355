#include "agent/keys/local/local_key_store.h"

#include <gmock/gmock.h>
#include <string.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "agent/keys/local/key_encryption_key.h"
#include "tests/unit/keys/local/store_directory.h"

namespace volcrypt {
namespace {

using testing::HasSubstr;

constexpr char kUnknownId[] = "00000000-0000-4000-8000-000000000000";

class LocalKeyStoreTest : public StoreDirectory {
 protected:
  void ExpectUnfit(const std::string& key_id) const {
    const std::unique_ptr<LocalKeyStore> store = OpenStore();
    const absl::Status status = store->Get(key_id, Soon()).status();
    EXPECT_EQ(ReasonText(status), "KEY_UNFIT") << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("restore the store from a backup"));
    EXPECT_EQ(MetadataOf(status)["key_id"], key_id);
  }

  // Whether any file of the store's directory holds the bytes or their hexadecimal text.
  bool DirectoryHolds(const SecretBytes& secret) const {
    const absl::StatusOr<SecretBytes> hex = HexOf(secret);
    EXPECT_TRUE(hex.ok());
    for (const auto& entry : std::filesystem::directory_iterator(directory_.Path())) {
      const std::string content = ReadFile(entry.path());
      const std::string lower = absl::AsciiStrToLower(content);
      if (memmem(content.data(), content.size(), secret.Bytes().data(), secret.Size()) != nullptr ||
          memmem(lower.data(), lower.size(), hex->Bytes().data(), hex->Size()) != nullptr) {
        return true;
      }
    }
    return false;
  }
};

TEST_F(LocalKeyStoreTest, CreatedKeyIsThereAgainAfterReopening) {
  std::unique_ptr<LocalKeyStore> store = OpenStore();
  const std::string id = NewKeyIn(*store);
  absl::StatusOr<Key> before = store->Get(id, Soon());
  ASSERT_TRUE(before.ok()) << before.status();
  store.reset();
  store = OpenStore();
  absl::StatusOr<Key> after = store->Get(id, Soon());
  ASSERT_TRUE(after.ok()) << after.status();
  EXPECT_TRUE(SameSecret(before->bytes, after->bytes));
}

TEST_F(LocalKeyStoreTest, EverySizeMakesAHighEntropySymmetricKeyOfThatSize) {
  const std::unique_ptr<LocalKeyStore> store = OpenStore();
  for (const uint32_t bits : {128U, 192U, 256U, 512U}) {
    const absl::StatusOr<Key> key = store->Get(NewKeyIn(*store, bits), Soon());
    ASSERT_TRUE(key.ok()) << key.status();
    EXPECT_EQ(key->bytes.Size() * 8, bits);
    EXPECT_EQ(key->type, KeyType::kSymmetric);
    EXPECT_TRUE(key->high_entropy);
    EXPECT_FALSE(std::ranges::all_of(key->bytes.Bytes(), [](uint8_t byte) { return byte == 0; }));
  }
}

TEST_F(LocalKeyStoreTest, NoTwoKeysAreTheSame) {
  const std::unique_ptr<LocalKeyStore> store = OpenStore();
  const std::string one = NewKeyIn(*store);
  const std::string other = NewKeyIn(*store);
  EXPECT_NE(one, other);
  EXPECT_FALSE(SameSecret(store->Get(one, Soon())->bytes, store->Get(other, Soon())->bytes));
}

TEST_F(LocalKeyStoreTest, WhatCannotBeMadeIsAnInvalidField) {
  const std::unique_ptr<LocalKeyStore> store = OpenStore();
  const std::vector<std::pair<NewKey, std::string>> cases = {
      {{.algorithm = "des", .bit_length = 256, .name = ""}, "algorithm"},
      {{.algorithm = "", .bit_length = 256, .name = ""}, "algorithm"},
      {{.algorithm = "aes", .bit_length = 0, .name = ""}, "bit_length"},
      {{.algorithm = "aes", .bit_length = 64, .name = ""}, "bit_length"},
      {{.algorithm = "aes", .bit_length = 257, .name = ""}, "bit_length"},
      {{.algorithm = "aes", .bit_length = 1024, .name = ""}, "bit_length"},
      {{.algorithm = "aes", .bit_length = 256, .name = std::string(256, 'n')}, "name"}};
  for (const auto& [key, field] : cases) {
    const absl::Status status = store->Create(key, Soon()).status();
    EXPECT_EQ(ReasonText(status), "INVALID_FIELD") << status;
    EXPECT_EQ(MetadataOf(status)["field"], field);
  }
}

TEST_F(LocalKeyStoreTest, MalformedIdIsInvalidAndNotRepeated) {
  const std::unique_ptr<LocalKeyStore> store = OpenStore();
  for (const std::string id : {"", "x", "00000000-0000-4000-8000-00000000000", "00000000-0000-4000-8000-0000000000000",
                               "00000000x0000-4000-8000-000000000000", "g0000000-0000-4000-8000-000000000000",
                               "' OR 1=1 --                         "}) {
    for (const absl::Status& status :
         {store->CheckKeyId(id), store->Get(id, Soon()).status(), store->GetMetadata(id, Soon()).status(),
          store->Delete(id, true, Soon()), store->ClaimFirstUse(id, {.volume_id = "v"}, Soon()).status(),
          store->RecordFirstUse(id, {.volume_id = "v"}, Soon()), store->DropFirstUse(id, "v", Soon())}) {
      EXPECT_EQ(ReasonText(status), "INVALID_KEY_ID") << status;
      EXPECT_FALSE(id.size() > 1 && absl::StrContains(status.message(), id));
    }
  }
}

TEST_F(LocalKeyStoreTest, UnknownKeyIsNotFound) {
  const std::unique_ptr<LocalKeyStore> store = OpenStore();
  for (const absl::Status& status :
       {store->Get(kUnknownId, Soon()).status(), store->GetMetadata(kUnknownId, Soon()).status(),
        store->Delete(kUnknownId, true, Soon()), store->ClaimFirstUse(kUnknownId, {.volume_id = "v"}, Soon()).status(),
        store->RecordFirstUse(kUnknownId, {.volume_id = "v"}, Soon())}) {
    EXPECT_EQ(ReasonText(status), "KEY_NOT_FOUND") << status;
  }
}

TEST_F(LocalKeyStoreTest, UpperCaseIdNamesTheSameKey) {
  const std::unique_ptr<LocalKeyStore> store = OpenStore();
  const std::string id = NewKeyIn(*store);
  EXPECT_TRUE(store->Get(absl::AsciiStrToUpper(id), Soon()).ok());
}

TEST_F(LocalKeyStoreTest, MetadataSaysWhatWasAskedFor) {
  const std::unique_ptr<LocalKeyStore> store = OpenStore();
  const absl::Time before = absl::Now() - absl::Seconds(1);
  const absl::StatusOr<std::string> id = store->Create({.bit_length = 192, .name = "it's a \"name\""}, Soon());
  ASSERT_TRUE(id.ok()) << id.status();
  const absl::StatusOr<KeyMetadata> metadata = store->GetMetadata(*id, Soon());
  ASSERT_TRUE(metadata.ok()) << metadata.status();
  EXPECT_EQ(metadata->key_id, *id);
  EXPECT_EQ(metadata->type, KeyType::kSymmetric);
  EXPECT_EQ(metadata->algorithm, "aes");
  EXPECT_EQ(metadata->bit_length, 192U);
  EXPECT_EQ(metadata->name, "it's a \"name\"");
  EXPECT_EQ(metadata->status, "active");
  ASSERT_TRUE(metadata->created_at.has_value());
  EXPECT_GE(*metadata->created_at, before);
  EXPECT_LE(*metadata->created_at, absl::Now());
  EXPECT_TRUE(metadata->first_uses.empty());
}

TEST_F(LocalKeyStoreTest, DeletedKeyIsGoneAndSoIsItsRow) {
  std::unique_ptr<LocalKeyStore> store = OpenStore();
  const std::string id = NewKeyIn(*store);
  const std::string kept = NewKeyIn(*store);
  const auto files_name = [this](const std::string& key_id) {
    return absl::StrContains(ReadFile(path_) + ReadFile(path_ + "-wal"), key_id);
  };
  ASSERT_TRUE(files_name(id));
  ASSERT_TRUE(store->Delete(id, false, Soon()).ok());
  EXPECT_EQ(ReasonText(store->Get(id, Soon()).status()), "KEY_NOT_FOUND");
  EXPECT_FALSE(files_name(id));
  EXPECT_TRUE(files_name(kept));
}

TEST_F(LocalKeyStoreTest, ChangedBlobIsUnfit) {
  const std::string id = NewKeyIn(*OpenStore());
  // Another first byte of the nonce, of the ciphertext, another last one of the tag; a shorter blob, none.
  const auto another_byte = [](const std::string& at) {
    return "CASE substr(wrapped, " + at + ", 1) WHEN x'00' THEN x'FF' ELSE x'00' END";
  };
  for (const std::string& change : {another_byte("1") + " || substr(wrapped, 2)",
                                    "substr(wrapped, 1, 12) || " + another_byte("13") + " || substr(wrapped, 14)",
                                    "substr(wrapped, 1, length(wrapped) - 1) || " + another_byte("-1"),
                                    std::string("substr(wrapped, 1, 28)"), std::string("x''")}) {
    SCOPED_TRACE(change);
    ChangeStore("CREATE TABLE saved AS SELECT key_id, wrapped FROM keys; UPDATE keys SET wrapped = CAST(" + change +
                " AS BLOB)");
    ExpectUnfit(id);
    ChangeStore("UPDATE keys SET wrapped = (SELECT wrapped FROM saved); DROP TABLE saved");
    EXPECT_TRUE(OpenStore()->Get(id, Soon()).ok());
  }
}

TEST_F(LocalKeyStoreTest, WrappedKeyInAnotherKeysRowIsUnfit) {
  const std::string one = NewKeyIn(*OpenStore());
  const std::string other = NewKeyIn(*OpenStore());
  ChangeStore(
      "CREATE TEMP TABLE old AS SELECT key_id, wrapped FROM keys;"
      "UPDATE keys SET wrapped = (SELECT wrapped FROM old WHERE old.key_id <> keys.key_id)");
  ExpectUnfit(one);
  ExpectUnfit(other);
}

TEST_F(LocalKeyStoreTest, SwappedIdsAreUnfit) {
  const std::string one = NewKeyIn(*OpenStore());
  const std::string other = NewKeyIn(*OpenStore());
  ChangeStore("UPDATE keys SET key_id = 'x' WHERE key_id = '" + one + "';" + "UPDATE keys SET key_id = '" + one +
              "' WHERE key_id = '" + other + "';" + "UPDATE keys SET key_id = '" + other + "' WHERE key_id = 'x'");
  ExpectUnfit(one);
  ExpectUnfit(other);
}

TEST_F(LocalKeyStoreTest, ChangedTypeAlgorithmOrLengthIsUnfit) {
  for (const std::string change : {"type = 'passphrase'", "algorithm = 'des'", "bit_length = 128",
                                   "bit_length = 256 + 4294967296", "bit_length = -1"}) {
    const std::string id = NewKeyIn(*OpenStore());
    ChangeStore("UPDATE keys SET " + change + " WHERE key_id = '" + id + "'");
    ExpectUnfit(id);
  }
}

TEST_F(LocalKeyStoreTest, NoFileHoldsAKeyInClear) {
  const std::unique_ptr<LocalKeyStore> store = OpenStore();
  std::string id;
  for (int i = 0; i < 20; ++i) id = NewKeyIn(*store, 512);
  const absl::StatusOr<Key> key = store->Get(id, Soon());
  ASSERT_TRUE(key.ok());
  ASSERT_TRUE(std::filesystem::exists(path_ + "-wal"));
  EXPECT_FALSE(DirectoryHolds(key->bytes));

  // The scan does find what is there, as bytes and as text.
  const absl::StatusOr<SecretBytes> hex = HexOf(key->bytes);
  ASSERT_TRUE(hex.ok());
  for (const SecretBytes* planted : {&key->bytes, &*hex}) {
    std::ofstream file(directory_.Path("planted"), std::ios::binary);
    file << "before";
    file.write(planted->Text(), static_cast<std::streamsize>(planted->Size()));
    file << "after";
    file.close();
    EXPECT_TRUE(DirectoryHolds(key->bytes));
    std::filesystem::remove(directory_.Path("planted"));
  }
}

TEST_F(LocalKeyStoreTest, StoreDoesNotHoldItsKeyEncryptionKey) {
  const std::unique_ptr<LocalKeyStore> store = OpenStore();
  NewKeyIn(*store);
  const absl::StatusOr<std::optional<SecretBytes>> kek = LoadKeyEncryptionKey(kek_path_, false);
  ASSERT_TRUE(kek.ok() && kek->has_value());
  EXPECT_TRUE(DirectoryHolds(**kek));
  std::filesystem::remove(kek_path_);
  EXPECT_FALSE(DirectoryHolds(**kek));
}

TEST_F(LocalKeyStoreTest, PastDeadlineTimesOut) {
  const std::unique_ptr<LocalKeyStore> store = OpenStore();
  const std::string id = NewKeyIn(*store);
  for (const absl::Time past : {absl::Now() - absl::Seconds(1), absl::InfinitePast()}) {
    for (const absl::Status& status :
         {store->Get(id, past).status(), store->GetMetadata(id, past).status(), store->Create({}, past).status(),
          store->Delete(id, true, past), store->ClaimFirstUse(id, {.volume_id = "v"}, past).status(),
          store->RecordFirstUse(id, {.volume_id = "v"}, past), store->DropFirstUse(id, "v", past)}) {
      EXPECT_EQ(ReasonText(status), "KEY_MANAGER_TIMED_OUT") << status;
    }
  }
  EXPECT_TRUE(store->Get(id, absl::InfiniteFuture()).ok());
}

TEST_F(LocalKeyStoreTest, WriteWaitsForAnotherWriterUntilItsDeadlineAndReadsDoNot) {
  const std::unique_ptr<LocalKeyStore> store = OpenStore();
  const std::string id = NewKeyIn(*store);
  absl::StatusOr<std::unique_ptr<SqliteDatabase>> other = SqliteDatabase::Open(path_, Soon());
  ASSERT_TRUE(other.ok()) << other.status();
  ASSERT_TRUE((*other)->Execute("BEGIN IMMEDIATE").ok());

  const absl::Time begin = absl::Now();
  const absl::Status status = store->Create({}, begin + absl::Milliseconds(300)).status();
  EXPECT_EQ(ReasonText(status), "KEY_MANAGER_TIMED_OUT") << status;
  EXPECT_GE(absl::Now() - begin, absl::Milliseconds(150));
  EXPECT_LT(absl::Now() - begin, absl::Seconds(10));
  EXPECT_TRUE(store->Get(id, Soon()).ok());

  ASSERT_TRUE((*other)->Execute("ROLLBACK").ok());
  EXPECT_TRUE(store->Create({}, Soon()).ok());
}

TEST_F(LocalKeyStoreTest, CallsOfManyThreadsDoNotDisturbEachOther) {
  const std::unique_ptr<LocalKeyStore> store = OpenStore();
  const std::string shared = NewKeyIn(*store);
  constexpr int kThreads = 8;
  std::array<std::vector<std::string>, kThreads> ids;
  std::array<std::string, kThreads> winners;
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (size_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      const absl::StatusOr<FirstUseRecord> stands =
          store->ClaimFirstUse(shared, {.volume_id = "v", .host = "host" + std::to_string(t)}, Soon());
      if (stands.ok()) winners[t] = stands->host;
      for (int i = 0; i < 10; ++i) {
        const absl::StatusOr<std::string> id = store->Create({}, Soon());
        if (id.ok() && store->Get(*id, Soon()).ok() && store->GetMetadata(shared, Soon()).ok()) ids[t].push_back(*id);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::set<std::string> all;
  for (const auto& of_thread : ids) all.insert(of_thread.begin(), of_thread.end());
  EXPECT_EQ(all.size(), size_t{kThreads} * 10);
  EXPECT_NE(winners[0], "");
  for (const std::string& winner : winners) EXPECT_EQ(winner, winners[0]);
}

}  // namespace
}  // namespace volcrypt
