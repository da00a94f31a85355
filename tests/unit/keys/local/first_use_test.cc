#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "tests/unit/keys/local/store_directory.h"

namespace volcrypt {
namespace {

using State = FirstUseRecord::State;
using testing::HasSubstr;

class FirstUseTest : public StoreDirectory {
 protected:
  FirstUseTest() : store_(OpenStore()), key_(NewKeyIn(*store_)), other_key_(NewKeyIn(*store_)) {}

  FirstUseRecord Claim(const std::string& key_id, const FirstUseRecord& claim) {
    const absl::StatusOr<FirstUseRecord> stands = store_->ClaimFirstUse(key_id, claim, Soon());
    EXPECT_TRUE(stands.ok()) << stands.status();
    return stands.value_or(FirstUseRecord{});
  }
  std::vector<FirstUseRecord> RecordsOf(const std::string& key_id) {
    const absl::StatusOr<KeyMetadata> metadata = store_->GetMetadata(key_id, Soon());
    EXPECT_TRUE(metadata.ok()) << metadata.status();
    return metadata.ok() ? metadata->first_uses : std::vector<FirstUseRecord>{};
  }

  std::unique_ptr<LocalKeyStore> store_;
  std::string key_;
  std::string other_key_;
};

const FirstUseRecord kMine = {.volume_id = "vol", .host = "mine", .luks_uuid = "uuid-1"};
const FirstUseRecord kTheirs = {.volume_id = "vol", .host = "theirs", .luks_uuid = "uuid-2"};

TEST_F(FirstUseTest, FirstClaimStandsAndLaterOnesSeeIt) {
  EXPECT_EQ(Claim(key_, kMine).host, "mine");
  const FirstUseRecord stands = Claim(key_, kTheirs);
  EXPECT_EQ(stands.host, "mine");
  EXPECT_EQ(stands.luks_uuid, "uuid-1");
  EXPECT_EQ(stands.volume_id, "vol");
  EXPECT_EQ(stands.state, State::kClaimed);
  EXPECT_EQ(RecordsOf(key_).size(), 1U);
}

TEST_F(FirstUseTest, ClaimSeesTheVolumeUnderAnotherKey) {
  Claim(key_, kMine);
  EXPECT_EQ(Claim(other_key_, kTheirs).host, "mine");
  EXPECT_TRUE(RecordsOf(other_key_).empty());
}

TEST_F(FirstUseTest, ClaimOfAnotherVolumeIsFree) {
  Claim(key_, kMine);
  FirstUseRecord another = kTheirs;
  another.volume_id = "vol2";
  EXPECT_EQ(Claim(key_, another).host, "theirs");
  EXPECT_EQ(RecordsOf(key_).size(), 2U);
}

TEST_F(FirstUseTest, RecordReplacesTheClaim) {
  Claim(key_, kMine);
  FirstUseRecord formatted = kMine;
  formatted.state = State::kFormatted;
  formatted.luks_uuid = "uuid-3";
  ASSERT_TRUE(store_->RecordFirstUse(key_, formatted, Soon()).ok());
  const std::vector<FirstUseRecord> records = RecordsOf(key_);
  ASSERT_EQ(records.size(), 1U);
  EXPECT_EQ(records[0].state, State::kFormatted);
  EXPECT_EQ(records[0].luks_uuid, "uuid-3");
  EXPECT_EQ(records[0].host, "mine");
}

TEST_F(FirstUseTest, FormattedRecordIsSeenBeforeAClaim) {
  Claim(key_, kMine);
  FirstUseRecord formatted = kTheirs;
  formatted.state = State::kFormatted;
  ASSERT_TRUE(store_->RecordFirstUse(other_key_, formatted, Soon()).ok());
  EXPECT_EQ(Claim(key_, kMine).host, "theirs");
}

TEST_F(FirstUseTest, RecordsOutliveTheProcess) {
  Claim(key_, kMine);
  store_.reset();
  store_ = OpenStore();
  EXPECT_EQ(Claim(key_, kTheirs).host, "mine");
}

TEST_F(FirstUseTest, StateThatNobodyKnowsForbids) {
  Claim(key_, kMine);
  store_.reset();
  ChangeStore("UPDATE first_uses SET state = 'strange'");
  store_ = OpenStore();
  EXPECT_EQ(Claim(key_, kTheirs).state, State::kFormatted);
}

TEST_F(FirstUseTest, DroppedVolumeCanBeClaimedAgainWhicheverKeyItWasUnder) {
  Claim(key_, kMine);
  ASSERT_TRUE(store_->RecordFirstUse(other_key_, kMine, Soon()).ok());
  FirstUseRecord another = kMine;
  another.volume_id = "vol2";
  Claim(key_, another);
  ASSERT_TRUE(store_->DropFirstUse(other_key_, "vol", Soon()).ok());
  EXPECT_EQ(Claim(other_key_, kTheirs).host, "theirs");
  const std::vector<FirstUseRecord> records = RecordsOf(key_);
  ASSERT_EQ(records.size(), 1U);
  EXPECT_EQ(records[0].volume_id, "vol2");
}

TEST_F(FirstUseTest, DroppingWhatIsNotThereSucceeds) {
  EXPECT_TRUE(store_->DropFirstUse(key_, "vol", Soon()).ok());
  EXPECT_TRUE(store_->DropFirstUse("00000000-0000-4000-8000-000000000000", "vol", Soon()).ok());
}

TEST_F(FirstUseTest, KeyWithRecordsIsDeletedOnlyByForceAndTakesThemAlong) {
  Claim(key_, kMine);
  const absl::Status refused = store_->Delete(key_, false, Soon());
  EXPECT_EQ(ReasonText(refused), "KEY_IN_USE") << refused;
  EXPECT_THAT(std::string(refused.message()), HasSubstr("vol"));
  EXPECT_EQ(MetadataOf(refused)["volumes"], "vol");
  EXPECT_TRUE(store_->Get(key_, Soon()).ok());

  ASSERT_TRUE(store_->Delete(key_, true, Soon()).ok());
  EXPECT_EQ(ReasonText(store_->Get(key_, Soon()).status()), "KEY_NOT_FOUND");
  EXPECT_EQ(Claim(other_key_, kTheirs).host, "theirs");
}

TEST_F(FirstUseTest, KeyWhoseRecordsWereDroppedCanBeDeleted) {
  Claim(key_, kMine);
  ASSERT_TRUE(store_->DropFirstUse(key_, "vol", Soon()).ok());
  EXPECT_TRUE(store_->Delete(key_, false, Soon()).ok());
}

TEST_F(FirstUseTest, RefusalOfAMuchUsedKeyStaysShort) {
  for (int i = 0; i < 200; ++i) {
    Claim(key_, {.volume_id = std::string(70, 'v') + std::to_string(i), .host = "mine"});
  }
  const absl::Status refused = store_->Delete(key_, false, Soon());
  EXPECT_THAT(std::string(refused.message()), HasSubstr("200 volume"));
  EXPECT_LT(refused.message().size(), 700U);
}

TEST_F(FirstUseTest, MalformedRecordsAreRefused) {
  EXPECT_EQ(ReasonText(store_->ClaimFirstUse(key_, {.volume_id = "../x"}, Soon()).status()), "INVALID_VOLUME_ID");
  EXPECT_EQ(ReasonText(store_->RecordFirstUse(key_, {.volume_id = ""}, Soon())), "INVALID_VOLUME_ID");
  FirstUseRecord long_host = kMine;
  long_host.host.assign(256, 'h');
  EXPECT_EQ(ReasonText(store_->RecordFirstUse(key_, long_host, Soon())), "INVALID_FIELD");
  EXPECT_TRUE(RecordsOf(key_).empty());
}

}  // namespace
}  // namespace volcrypt
