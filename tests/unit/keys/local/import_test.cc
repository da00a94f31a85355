#include <gmock/gmock.h>

#include <algorithm>

#include "tests/unit/keys/local/store_directory.h"

namespace volcrypt {
namespace {

using testing::HasSubstr;

class ImportTest : public StoreDirectory {
 protected:
  // Made up.
  static Key KeyOf(KeyType type, size_t size, bool high_entropy = false) {
    absl::StatusOr<SecretBytes> bytes = SecretBytes::Allocate(size);
    EXPECT_TRUE(bytes.ok());
    uint8_t next = 0;
    std::ranges::generate(bytes->Bytes(), [&next] { return ++next; });
    return {.type = type, .bytes = *std::move(bytes), .high_entropy = high_entropy};
  }
  absl::StatusOr<Key> TakenInAndOut(const Key& key) const {
    const std::unique_ptr<LocalKeyStore> store = OpenStore();
    const absl::StatusOr<std::string> id = store->Import(key, {.algorithm = "aes"}, Soon());
    if (!id.ok()) return id.status();
    return store->Get(*id, Soon());
  }
};

TEST_F(ImportTest, EveryTypeAndLengthComesOutAsItWentIn) {
  for (const KeyType type : {KeyType::kPassphrase, KeyType::kOpaque}) {
    for (const size_t size : {size_t{1}, size_t{13}, size_t{32}, size_t{20000}}) {
      const Key key = KeyOf(type, size);
      const absl::StatusOr<Key> taken = TakenInAndOut(key);
      ASSERT_TRUE(taken.ok()) << taken.status();
      EXPECT_TRUE(SameSecret(taken->bytes, key.bytes));
      EXPECT_EQ(taken->type, type);
      EXPECT_FALSE(taken->high_entropy);
    }
  }
}

TEST_F(ImportTest, RandomSymmetricKeyStaysOne) {
  for (const size_t size : {size_t{16}, size_t{24}, size_t{32}, size_t{64}, size_t{17}}) {
    const Key key = KeyOf(KeyType::kSymmetric, size, true);
    const absl::StatusOr<Key> taken = TakenInAndOut(key);
    ASSERT_TRUE(taken.ok()) << taken.status();
    EXPECT_TRUE(SameSecret(taken->bytes, key.bytes));
    EXPECT_EQ(taken->type, KeyType::kSymmetric);
    EXPECT_TRUE(taken->high_entropy);
  }
}

TEST_F(ImportTest, ShortSymmetricKeyIsNeverRandom) {
  const absl::StatusOr<Key> taken = TakenInAndOut(KeyOf(KeyType::kSymmetric, 15, false));
  ASSERT_TRUE(taken.ok()) << taken.status();
  EXPECT_EQ(taken->type, KeyType::kSymmetric);
  EXPECT_FALSE(taken->high_entropy);
}

TEST_F(ImportTest, MetadataSaysWhatWasSaidOfTheKey) {
  const std::unique_ptr<LocalKeyStore> store = OpenStore();
  const absl::StatusOr<std::string> id =
      store->Import(KeyOf(KeyType::kPassphrase, 9), {.algorithm = "", .bit_length = 0, .name = "from afar"}, Soon());
  ASSERT_TRUE(id.ok()) << id.status();
  const absl::StatusOr<KeyMetadata> metadata = store->GetMetadata(*id, Soon());
  ASSERT_TRUE(metadata.ok()) << metadata.status();
  EXPECT_EQ(metadata->type, KeyType::kPassphrase);
  EXPECT_EQ(metadata->algorithm, "");
  EXPECT_EQ(metadata->bit_length, 72U);
  EXPECT_EQ(metadata->name, "from afar");
  EXPECT_TRUE(metadata->created_at.has_value());
}

TEST_F(ImportTest, WhatCannotBeKeptIsRefused) {
  const std::unique_ptr<LocalKeyStore> store = OpenStore();
  EXPECT_EQ(ReasonText(store->Import(KeyOf(KeyType::kOpaque, 0), {}, Soon()).status()), "KEY_UNFIT");
  const Key key = KeyOf(KeyType::kOpaque, 8);
  EXPECT_EQ(ReasonText(store->Import(key, {.name = std::string(256, 'n')}, Soon()).status()), "INVALID_FIELD");
  EXPECT_EQ(ReasonText(store->Import(key, {.algorithm = std::string(65, 'a')}, Soon()).status()), "INVALID_FIELD");
  EXPECT_EQ(ReasonText(store->Import(key, {}, absl::InfinitePast()).status()), "KEY_MANAGER_TIMED_OUT");
}

TEST_F(ImportTest, TypeOfATakenInKeyIsBoundToItsRow) {
  const absl::StatusOr<std::string> id = OpenStore()->Import(KeyOf(KeyType::kPassphrase, 32), {}, Soon());
  ASSERT_TRUE(id.ok()) << id.status();
  for (const std::string type : {"symmetric", "opaque", "other"}) {
    ChangeStore("UPDATE keys SET type = '" + type + "'");
    EXPECT_EQ(ReasonText(OpenStore()->Get(*id, Soon()).status()), "KEY_UNFIT") << type;
  }
}

// Barbican keeps volume ids in lower case, and records are carried over from there.
TEST_F(ImportTest, RecordInLowerCaseForbidsAndIsDropped) {
  const std::unique_ptr<LocalKeyStore> store = OpenStore();
  const std::string id = NewKeyIn(*store);
  const FirstUseRecord carried = {
      .volume_id = "vol-a", .state = FirstUseRecord::State::kFormatted, .host = "far", .luks_uuid = "uuid"};
  ASSERT_TRUE(store->RecordFirstUse(id, carried, Soon()).ok());
  const absl::StatusOr<FirstUseRecord> stands =
      store->ClaimFirstUse(id, {.volume_id = "Vol-A", .host = "here"}, Soon());
  ASSERT_TRUE(stands.ok()) << stands.status();
  EXPECT_EQ(stands->host, "far");
  ASSERT_TRUE(store->DropFirstUse(id, "Vol-A", Soon()).ok());
  EXPECT_EQ(store->ClaimFirstUse(id, {.volume_id = "Vol-A", .host = "here"}, Soon())->host, "here");
}

class CheckTest : public StoreDirectory {
 protected:
  static std::string Steps(const std::vector<CheckStep>& steps) {
    std::string text;
    for (const CheckStep& step : steps) text += step.name + (step.passed ? " passed\n" : " failed\n");
    return text;
  }
};

TEST_F(CheckTest, PassesAndChangesNothing) {
  const std::unique_ptr<LocalKeyStore> store = OpenStore();
  NewKeyIn(*store);
  const std::vector<CheckStep> steps = store->Check(Soon());
  EXPECT_EQ(Steps(steps), "open passed\nread passed\ncreate passed\n");
  EXPECT_EQ(steps[1].detail, "keys in it: 1");
  EXPECT_EQ(steps[1].reason, std::nullopt);
  EXPECT_EQ(Steps(store->Check(Soon())), Steps(steps));
}

TEST_F(CheckTest, FailsAtAFileThatOthersMayRead) {
  const std::unique_ptr<LocalKeyStore> store = OpenStore();
  ASSERT_EQ(chmod(path_.c_str(), 0644), 0);
  const std::vector<CheckStep> steps = store->Check(Soon());
  EXPECT_EQ(Steps(steps), "open failed\n");
  EXPECT_THAT(steps[0].detail, HasSubstr("chmod 600"));
  EXPECT_FALSE(steps[0].remedy.empty());
  EXPECT_EQ(steps[0].reason, Reason::kKeyManagerUnavailable);
}

TEST_F(CheckTest, FailsAtAMissingStore) {
  const std::unique_ptr<LocalKeyStore> store = OpenStore();
  std::filesystem::remove(path_);
  EXPECT_EQ(Steps(store->Check(Soon())), "open failed\n");
}

TEST_F(CheckTest, FailsWhereAnotherWriterHoldsTheStore) {
  const std::unique_ptr<LocalKeyStore> store = OpenStore();
  absl::StatusOr<std::unique_ptr<SqliteDatabase>> other = SqliteDatabase::Open(path_, Soon());
  ASSERT_TRUE(other.ok()) << other.status();
  ASSERT_TRUE((*other)->Execute("BEGIN IMMEDIATE").ok());
  EXPECT_EQ(Steps(store->Check(absl::Now() + absl::Seconds(2))), "open passed\nread passed\ncreate failed\n");
}

}  // namespace
}  // namespace volcrypt
