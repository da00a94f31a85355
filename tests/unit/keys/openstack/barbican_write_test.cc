// Keys deleted, and first uses recorded.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "agent/keys/openstack/first_use_text.h"
#include "tests/unit/keys/openstack/fake_cloud.h"
#include "tests/unit/keys/openstack/status_matchers.h"

namespace volcrypt {
namespace {

using State = FirstUseRecord::State;
using testing::AllOf;
using testing::IsEmpty;
using testing::Not;

constexpr char kVolume[] = "0e6b1c9e-7f0a-4a3e-9c52-0f7d3f3c1a11";
constexpr char kLuks[] = "11111111-2222-4333-8444-555555555555";

FirstUseRecord RecordOf(const std::string& host, State state = State::kClaimed, const std::string& volume = kVolume) {
  return {.volume_id = volume, .state = state, .host = host, .luks_uuid = kLuks};
}

class BarbicanWriteTest : public testing::Test {
 protected:
  FakeCloud cloud_;
  std::unique_ptr<BarbicanKeyManager> keys_ = cloud_.KeyManager();
};

TEST_F(BarbicanWriteTest, UnusedKeyIsDeleted) {
  const std::string id = cloud_.Add();
  EXPECT_THAT(keys_->Delete(id, false, Soon()), Succeeds());
  EXPECT_EQ(cloud_.Find(id).status, "gone");
  EXPECT_THAT(keys_->Delete(id, true, Soon()), FailsWith(Reason::kKeyNotFound));
}

TEST_F(BarbicanWriteTest, KeyThatFormattedAVolumeIsDeletedByForceAlone) {
  const std::string id = cloud_.Add({.metadata = {{"volcrypt-v", "damaged"}}});
  EXPECT_THAT(keys_->Delete(id, false, Soon()), AllOf(FailsWith(Reason::kKeyInUse), HasMetadata("used_by", "v")));
  EXPECT_EQ(cloud_.Find(id).status, "ACTIVE");
  EXPECT_THAT(keys_->Delete(id, true, Soon()), Succeeds());
}

TEST_F(BarbicanWriteTest, KeyWithConsumersIsDeletedByForceAlone) {
  const std::string id = cloud_.Add({.consumers = 1});
  EXPECT_THAT(keys_->Delete(id, false, Soon()), AllOf(FailsWith(Reason::kKeyInUse), Says("image")));
  EXPECT_THAT(keys_->Delete(id, true, Soon()), Succeeds());
}

TEST_F(BarbicanWriteTest, BarbicanWithoutConsumersDeletes) {
  const std::string id = cloud_.Add();
  cloud_.Next("GET", "/consumers", {.status = 404, .body = "<html>"});
  EXPECT_THAT(keys_->Delete(id, false, Soon()), Succeeds());
}

TEST_F(BarbicanWriteTest, KeyWhoseRecordsCannotBeReadIsNotDeleted) {
  const std::string id = cloud_.Add();
  cloud_.Always("GET", "/metadata", BarbicanError(403, "not allowed"));
  EXPECT_THAT(keys_->Delete(id, false, Soon()), FailsWith(Reason::kKeyAccessDenied));
  EXPECT_EQ(cloud_.Find(id).status, "ACTIVE");
}

TEST_F(BarbicanWriteTest, DeletionWhoseAnswerWasLostHasHappened) {
  const std::string id = cloud_.Add();
  cloud_.Next("DELETE", id, {.manner = Manner::kDropped});
  cloud_.Next("DELETE", id, BarbicanError(404, "Not Found."));
  EXPECT_THAT(keys_->Delete(id, true, Soon()), Succeeds());
}

TEST_F(BarbicanWriteTest, FirstClaimStands) {
  const std::string id = cloud_.Add();
  EXPECT_EQ(keys_->ClaimFirstUse(id, RecordOf("h1"), Soon())->host, "h1");
  EXPECT_EQ(keys_->ClaimFirstUse(id, RecordOf("h2"), Soon())->host, "h1");
  EXPECT_EQ(cloud_.Find(id).metadata,
            (std::map<std::string, std::string>{
                {absl::StrCat("volcrypt-", kVolume),
                 absl::StrCat("state=claimed host=h1 luks=", kLuks, " volume=", kVolume, " v=1")}}));
}

TEST_F(BarbicanWriteTest, ClaimWhoseAnswerWasLostStands) {
  const std::string id = cloud_.Add();
  cloud_.Next("POST", "/metadata/", {.manner = Manner::kDropped});
  EXPECT_EQ(keys_->ClaimFirstUse(id, RecordOf("h1"), Soon())->host, "h1");
}

TEST_F(BarbicanWriteTest, DamagedRecordForbids) {
  const std::string id = cloud_.Add({.metadata = {{absl::StrCat("volcrypt-", kVolume), "edited by hand"}}});
  const absl::StatusOr<FirstUseRecord> standing = keys_->ClaimFirstUse(id, RecordOf("h1"), Soon());
  ASSERT_THAT(standing, Succeeds());
  EXPECT_EQ(standing->state, State::kFormatted);
  EXPECT_EQ(standing->volume_id, kVolume);
}

TEST_F(BarbicanWriteTest, ClaimOfNoKeyIsNotFound) {
  EXPECT_THAT(keys_->ClaimFirstUse("5ec7e700-0000-4000-8000-999999999999", RecordOf("h1"), Soon()),
              FailsWith(Reason::kKeyNotFound));
}

TEST_F(BarbicanWriteTest, ClaimThatMayNotBeWrittenIsDenied) {
  cloud_.Always("POST", "/metadata/", BarbicanError(403, "not allowed"));
  EXPECT_THAT(keys_->ClaimFirstUse(cloud_.Add(), RecordOf("h1"), Soon()),
              AllOf(FailsWith(Reason::kKeyAccessDenied), Says("creator and member")));
}

TEST_F(BarbicanWriteTest, VolumesOfOneNameInTwoCasesAreToldApart) {
  const std::string id = cloud_.Add();
  ASSERT_THAT(keys_->ClaimFirstUse(id, RecordOf("h1", State::kClaimed, "Vol"), Soon()), Succeeds());
  EXPECT_THAT(keys_->ClaimFirstUse(id, RecordOf("h1", State::kClaimed, "vol"), Soon()), FailsWith(Reason::kKeyInUse));
  EXPECT_THAT(keys_->RecordFirstUse(id, RecordOf("h1", State::kFormatted, "vol"), Soon()),
              FailsWith(Reason::kKeyInUse));
  EXPECT_THAT(keys_->DropFirstUse(id, "vol", Soon()), Succeeds());
  EXPECT_EQ(keys_->GetMetadata(id, Soon())->first_uses.at(0).volume_id, "Vol");
  EXPECT_EQ(keys_->GetMetadata(id, Soon())->first_uses.at(0).state, State::kClaimed);
}

TEST_F(BarbicanWriteTest, RecordReplacesTheClaim) {
  const std::string id = cloud_.Add();
  ASSERT_THAT(keys_->ClaimFirstUse(id, RecordOf("h1", State::kClaimed, "data.1"), Soon()), Succeeds());
  ASSERT_THAT(keys_->RecordFirstUse(id, RecordOf("h1", State::kFormatted, "data.1"), Soon()), Succeeds());
  const absl::StatusOr<KeyMetadata> metadata = keys_->GetMetadata(id, Soon());
  ASSERT_EQ(metadata->first_uses.size(), 1U);
  EXPECT_EQ(metadata->first_uses[0].state, State::kFormatted);
  EXPECT_EQ(metadata->first_uses[0].volume_id, "data.1");
}

TEST_F(BarbicanWriteTest, RecordIsWrittenWhereNoneIs) {
  const std::string id = cloud_.Add();
  ASSERT_THAT(keys_->RecordFirstUse(id, RecordOf("h1", State::kFormatted), Soon()), Succeeds());
  EXPECT_EQ(keys_->GetMetadata(id, Soon())->first_uses.at(0).state, State::kFormatted);
}

TEST_F(BarbicanWriteTest, RecordThatMayHaveBeenAddedIsNotAddedAgain) {
  const std::string id = cloud_.Add();
  for (const FakeHttpAnswer& lost : {FakeHttpAnswer{.manner = Manner::kDropped}, BarbicanError(503, "later")}) {
    const size_t before = cloud_.Count("POST", "/metadata/");
    cloud_.Next("POST", "/metadata/", lost);
    EXPECT_THAT(keys_->RecordFirstUse(id, RecordOf("h1", State::kFormatted), Soon()),
                FailsWith(Reason::kKeyManagerUnavailable));
    EXPECT_EQ(cloud_.Count("POST", "/metadata/"), before + 1);
  }
}

TEST_F(BarbicanWriteTest, RecordIsWrittenAmidstOthersWrites) {
  const std::string id = cloud_.Add();
  // Somebody adds it between the look and the write, then takes it away again.
  cloud_.Next("POST", "/metadata/", BarbicanError(409, "Conflict."));
  ASSERT_THAT(keys_->RecordFirstUse(id, RecordOf("h1"), Soon()), Succeeds());
  cloud_.Next("PUT", "/metadata/", BarbicanError(404, "Secret metadata not found."));
  EXPECT_THAT(keys_->RecordFirstUse(id, RecordOf("h2"), Soon()), Succeeds());
  cloud_.Always("PUT", "/metadata/", BarbicanError(404, "Secret metadata not found."));
  EXPECT_THAT(keys_->RecordFirstUse(id, RecordOf("h3"), Soon()), FailsWith(Reason::kKeyManagerUnavailable));
}

TEST_F(BarbicanWriteTest, DroppedRecordIsGoneAndDroppingTwiceIsNoError) {
  const std::string id = cloud_.Add({.metadata = {{"owner", "somebody"}}});
  ASSERT_THAT(keys_->RecordFirstUse(id, RecordOf("h1"), Soon()), Succeeds());
  EXPECT_THAT(keys_->DropFirstUse(id, kVolume, Soon()), Succeeds());
  EXPECT_THAT(keys_->DropFirstUse(id, kVolume, Soon()), Succeeds());
  EXPECT_EQ(cloud_.Find(id).metadata, (std::map<std::string, std::string>{{"owner", "somebody"}}));
}

TEST_F(BarbicanWriteTest, DamagedRecordCanBeDropped) {
  const std::string id = cloud_.Add({.metadata = {{"volcrypt-v", "edited by hand"}}});
  EXPECT_THAT(keys_->DropFirstUse(id, "v", Soon()), Succeeds());
  EXPECT_THAT(cloud_.Find(id).metadata, IsEmpty());
}

TEST_F(BarbicanWriteTest, ConsumersAreNeverRegistered) {
  const std::string id = cloud_.Add();
  ASSERT_THAT(keys_->ClaimFirstUse(id, RecordOf("h1"), Soon()), Succeeds());
  ASSERT_THAT(keys_->RecordFirstUse(id, RecordOf("h1", State::kFormatted), Soon()), Succeeds());
  ASSERT_THAT(keys_->Get(id, Soon()), Succeeds());
  EXPECT_EQ(cloud_.Count("POST", "/consumers"), 0U);
}

}  // namespace
}  // namespace volcrypt
