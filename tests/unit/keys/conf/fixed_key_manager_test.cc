#include "agent/keys/conf/fixed_key_manager.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <numeric>

#include "absl/strings/match.h"
#include "agent/keys/key_id.h"
#include "tests/unit/keys/local/store_directory.h"

namespace volcrypt {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr char kOtherId[] = "00000000-0000-0000-0000-000000000001";
constexpr char k256Bits[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

class FixedKeyManagerTest : public StoreDirectory {
 protected:
  absl::StatusOr<std::unique_ptr<FixedKeyManager>> TryOpen(const std::string& text, bool high_entropy = false) const {
    WriteFile(File(), text);
    return FixedKeyManager::Open({.file = {.path = File()}, .high_entropy = high_entropy});
  }
  std::unique_ptr<FixedKeyManager> Open(const std::string& text, bool high_entropy = false) const {
    absl::StatusOr<std::unique_ptr<FixedKeyManager>> manager = TryOpen(text, high_entropy);
    EXPECT_TRUE(manager.ok()) << manager.status();
    return manager.ok() ? *std::move(manager) : nullptr;
  }
  std::string File() const { return directory_.Path("fixed_key"); }

  static std::vector<uint8_t> BytesOf(FixedKeyManager& manager) {
    const absl::StatusOr<Key> key = manager.Get(kFixedKeyId, Soon());
    EXPECT_TRUE(key.ok()) << key.status();
    if (!key.ok()) return {};
    return {key->bytes.Bytes().begin(), key->bytes.Bytes().end()};
  }
};

TEST_F(FixedKeyManagerTest, KeyIsWhatTheHexadecimalTextSays) {
  std::vector<uint8_t> expected(32);
  std::iota(expected.begin(), expected.end(), uint8_t{0});
  EXPECT_EQ(BytesOf(*Open(k256Bits)), expected);
  EXPECT_EQ(BytesOf(*Open(std::string(k256Bits) + "\n")), expected);
  EXPECT_THAT(BytesOf(*Open("aBcDeF90")), ElementsAre(0xAB, 0xCD, 0xEF, 0x90));
}

TEST_F(FixedKeyManagerTest, TextThatIsNotHexadecimalIsUnfitAndNotRepeated) {
  for (const std::string text : {"abc", "0x00112233", "001122 33", " 0011", "zz", "00\n11", "\n", "", "00:11"}) {
    const absl::Status status = TryOpen(text).status();
    EXPECT_EQ(ReasonText(status), "KEY_UNFIT") << text;
    EXPECT_THAT(std::string(status.message()), HasSubstr(File()));
    EXPECT_FALSE(text.size() > 2 && absl::StrContains(status.message(), text)) << status;
  }
}

TEST_F(FixedKeyManagerTest, FileThatOthersMayReadIsRefused) {
  WriteFile(File(), k256Bits, 0644);
  EXPECT_EQ(ReasonText(FixedKeyManager::Open({.file = {.path = File()}}).status()), "KEY_MANAGER_UNAVAILABLE");
}

TEST_F(FixedKeyManagerTest, NothingVouchesForTheKeyButTheConfiguration) {
  EXPECT_FALSE(Open(k256Bits)->Get(kFixedKeyId, Soon())->high_entropy);
  EXPECT_TRUE(Open(k256Bits, true)->Get(kFixedKeyId, Soon())->high_entropy);
}

TEST_F(FixedKeyManagerTest, ShortKeyCannotBeVouchedFor) {
  const std::string bits120(30, 'a');
  EXPECT_FALSE(Open(bits120)->Get(kFixedKeyId, Soon())->high_entropy);
  const absl::Status status = TryOpen(bits120, true).status();
  EXPECT_EQ(ReasonText(status), "KEY_UNFIT");
  EXPECT_THAT(std::string(status.message()), HasSubstr("has 120 bits; high_entropy needs 128"));
  EXPECT_TRUE(Open(std::string(32, 'a'), true)->Get(kFixedKeyId, Soon())->high_entropy);
}

TEST_F(FixedKeyManagerTest, MetadataSaysWhatTheKeyIs) {
  const absl::StatusOr<KeyMetadata> metadata = Open(k256Bits)->GetMetadata(kFixedKeyId, Soon());
  ASSERT_TRUE(metadata.ok()) << metadata.status();
  EXPECT_EQ(metadata->key_id, kFixedKeyId);
  EXPECT_EQ(metadata->type, KeyType::kSymmetric);
  EXPECT_EQ(metadata->algorithm, "aes");
  EXPECT_EQ(metadata->bit_length, 256U);
  EXPECT_TRUE(metadata->first_uses.empty());
}

TEST_F(FixedKeyManagerTest, EveryOtherKeyIsNotFound) {
  const std::unique_ptr<FixedKeyManager> manager = Open(k256Bits);
  for (const std::string id : {kOtherId, "", "00000000000000000000000000000000", "no uuid"}) {
    for (const absl::Status& status :
         {manager->Get(id, Soon()).status(), manager->GetMetadata(id, Soon()).status(),
          manager->Delete(id, true, Soon()), manager->ClaimFirstUse(id, {.volume_id = "v"}, Soon()).status(),
          manager->RecordFirstUse(id, {.volume_id = "v"}, Soon()), manager->DropFirstUse(id, "v", Soon())}) {
      EXPECT_EQ(ReasonText(status), "KEY_NOT_FOUND") << id;
    }
  }
}

TEST_F(FixedKeyManagerTest, WhatAFixedKeyCannotDoIsNotHeld) {
  const std::unique_ptr<FixedKeyManager> manager = Open(k256Bits);
  const absl::StatusOr<Key> key = manager->Get(kFixedKeyId, Soon());
  ASSERT_TRUE(key.ok());
  for (const absl::Status& status : {manager->Create({}, Soon()).status(), manager->Import(*key, {}, Soon()).status(),
                                     manager->Delete(kFixedKeyId, true, Soon()),
                                     manager->ClaimFirstUse(kFixedKeyId, {.volume_id = "v"}, Soon()).status(),
                                     manager->RecordFirstUse(kFixedKeyId, {.volume_id = "v"}, Soon()),
                                     manager->DropFirstUse(kFixedKeyId, "v", Soon())}) {
    EXPECT_TRUE(IsNotHeld(status)) << status;
  }
}

TEST_F(FixedKeyManagerTest, OpeningItWarns) {
  EXPECT_THAT(Open(k256Bits)->Warnings(), ElementsAre(HasSubstr("insecure")));
}

TEST_F(FixedKeyManagerTest, CheckReadsTheFileAgain) {
  const std::unique_ptr<FixedKeyManager> manager = Open(k256Bits);
  std::vector<CheckStep> steps = manager->Check(Soon());
  ASSERT_EQ(steps.size(), 1U);
  EXPECT_EQ(steps[0].name, "open");
  EXPECT_TRUE(steps[0].passed);
  EXPECT_EQ(steps[0].detail, "one key of 256 bits in " + File());

  WriteFile(File(), std::string(64, 'a'));
  steps = manager->Check(Soon());
  EXPECT_FALSE(steps[0].passed);
  EXPECT_THAT(steps[0].detail, HasSubstr("another key"));
  EXPECT_THAT(steps[0].remedy, HasSubstr("restart volcryptd"));
  EXPECT_EQ(steps[0].reason, Reason::kKeyUnfit);

  ASSERT_EQ(chmod(File().c_str(), 0644), 0);
  steps = manager->Check(Soon());
  EXPECT_FALSE(steps[0].passed);
  EXPECT_THAT(steps[0].detail, HasSubstr("chmod 600"));
  EXPECT_FALSE(steps[0].remedy.empty());
  EXPECT_EQ(steps[0].reason, Reason::kKeyManagerUnavailable);
}

}  // namespace
}  // namespace volcrypt
