#include "agent/key_copy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "agent/keys/key_id.h"
#include "tests/unit/agent/attacher_fixture.h"
#include "tests/unit/agent/caller_tokens.h"

namespace volcrypt {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr char kCopy[] = "imported-1";

class KeyCopyTest : public AttacherTest {
 protected:
  static CopyKeyCall ToOther() {
    return {
        .source = {.key_manager = "local", .key_id = kKey}, .key_manager = "other", .name = "", .owner_user_id = ""};
  }
  absl::StatusOr<CopiedKey> Copy(const CopyKeyCall& request) const { return CopyKey(key_managers_, request, Soon()); }
  void PutRecords() {
    keys_->records[kKey]["vol-1"] = {
        .volume_id = "vol-1", .state = State::kFormatted, .host = kOtherHost, .luks_uuid = kUuid};
    keys_->records[kKey]["vol-2"] = {
        .volume_id = "vol-2", .state = State::kClaimed, .host = kHost, .luks_uuid = kOtherUuid};
  }
  // The second record is the one that fails.
  void FailSecondRecord(const absl::Status& status) {
    other_keys_->on_record = [this, status](const std::string& key_id) {
      return other_keys_->records[key_id].empty() ? absl::OkStatus() : status;
    };
  }
};

TEST_F(KeyCopyTest, CopyHasTheBytesAndAnIdOfItsOwn) {
  const absl::StatusOr<CopiedKey> copied = Copy(ToOther());
  ASSERT_TRUE(copied.ok()) << copied.status();
  EXPECT_EQ(copied->key.key_manager, "other");
  EXPECT_EQ(copied->key.key_id, kCopy);
  EXPECT_THAT(copied->warnings, IsEmpty());
  EXPECT_EQ(other_keys_->keys[kCopy], keys_->keys[kKey]);
  ASSERT_EQ(other_keys_->imported.size(), 1U);
  EXPECT_EQ(other_keys_->imported[0].algorithm, "aes");
  EXPECT_EQ(other_keys_->imported[0].bit_length, 24U);
  EXPECT_THAT(keys_->calls, ElementsAre("metadata key-1", "get key-1", "metadata key-1"));
}

TEST_F(KeyCopyTest, NameAndOwnerReachTheKeyManager) {
  CopyKeyCall request = ToOther();
  request.name = "a copy";
  request.owner_user_id = "u1";
  ASSERT_EQ(Outcome(Copy(request)), "OK");
  EXPECT_EQ(other_keys_->imported[0].name, "a copy");
  EXPECT_EQ(other_keys_->imported[0].owner_user_id, "u1");
}

TEST_F(KeyCopyTest, FirstUseRecordsAreCarriedOverAsTheyStand) {
  PutRecords();
  ASSERT_EQ(Outcome(Copy(ToOther())), "OK");
  const auto& carried = other_keys_->records[kCopy];
  ASSERT_EQ(carried.size(), 2U);
  EXPECT_EQ(carried.at("vol-1").state, State::kFormatted);
  EXPECT_EQ(carried.at("vol-1").host, kOtherHost);
  EXPECT_EQ(carried.at("vol-1").luks_uuid, kUuid);
  EXPECT_EQ(carried.at("vol-2").state, State::kClaimed);
  EXPECT_EQ(carried.at("vol-2").host, kHost);
  EXPECT_EQ(keys_->records[kKey].size(), 2U);
}

TEST_F(KeyCopyTest, RecordThatCannotBeCarriedOverTakesTheCopyBack) {
  PutRecords();
  for (const Reason reason : KeyManagerReasons()) {
    other_keys_->keys.clear();
    other_keys_->records.clear();
    FailSecondRecord(MakeError(reason, "failed on purpose"));
    const absl::Status failed = Copy(ToOther()).status();
    EXPECT_EQ(Outcome(failed), Name(reason));
    EXPECT_THAT(std::string(failed.message()), HasSubstr("failed on purpose"));
    EXPECT_THAT(other_keys_->keys, IsEmpty());
    EXPECT_THAT(other_keys_->records, IsEmpty());
  }
}

TEST_F(KeyCopyTest, CopyThatCannotBeTakenBackIsNamed) {
  PutRecords();
  FailSecondRecord(MakeError(Reason::kKeyManagerUnavailable, "gone"));
  Fail(other_keys_->on_delete, Reason::kKeyManagerTimedOut);
  const absl::Status failed = Copy(ToOther()).status();
  EXPECT_EQ(Outcome(failed), "KEY_MANAGER_UNAVAILABLE");
  EXPECT_THAT(std::string(failed.message()), HasSubstr("undoing it failed too"));
  EXPECT_EQ(MetadataOf(failed)["copy"], std::string("other:") + kCopy);
}

TEST_F(KeyCopyTest, KeyManagerWithoutRecordsKeepsTheCopyWithAWarning) {
  PutRecords();
  other_keys_->on_record = [](const std::string&) { return NotHeld("it has no place for records"); };
  const absl::StatusOr<CopiedKey> copied = Copy(ToOther());
  ASSERT_TRUE(copied.ok()) << copied.status();
  EXPECT_THAT(copied->warnings, ElementsAre(HasSubstr("the 2 first-use record(s) of key key-1 were not carried over")));
  EXPECT_TRUE(other_keys_->keys.contains(kCopy));
}

TEST_F(KeyCopyTest, KeyManagerThatTakesInNoKeysIsAWrongField) {
  other_keys_->on_import = [](const std::string&) { return NotHeld("it takes in no keys"); };
  const absl::Status refused = Copy(ToOther()).status();
  EXPECT_EQ(Outcome(refused), "INVALID_FIELD");
  EXPECT_EQ(MetadataOf(refused)["field"], "key_manager");
}

TEST_F(KeyCopyTest, ErrorsOfEitherSideAreAnsweredAndNothingIsTakenIn) {
  for (const Reason reason : KeyManagerReasons()) {
    Fail(keys_->on_get, reason);
    EXPECT_EQ(Outcome(Copy(ToOther())), Name(reason));
    keys_->on_get = nullptr;
    Fail(keys_->on_get_metadata, reason);
    EXPECT_EQ(Outcome(Copy(ToOther())), Name(reason));
    keys_->on_get_metadata = nullptr;
    EXPECT_THAT(other_keys_->calls, IsEmpty());
    Fail(other_keys_->on_import, reason);
    EXPECT_EQ(Outcome(Copy(ToOther())), Name(reason));
    other_keys_->on_import = nullptr;
    other_keys_->calls.clear();
  }
}

TEST_F(KeyCopyTest, UnknownKeyManagersAreRefusedBeforeAnyIsAsked) {
  CopyKeyCall request = ToOther();
  request.key_manager = "nowhere";
  EXPECT_EQ(Outcome(Copy(request)), "UNKNOWN_KEY_MANAGER");
  request = ToOther();
  request.source.key_manager = "nowhere";
  EXPECT_EQ(Outcome(Copy(request)), "UNKNOWN_KEY_MANAGER");
  EXPECT_THAT(keys_->calls, IsEmpty());
}

// How a cloud leaves the fixed key behind.
TEST_F(KeyCopyTest, FixedKeyIsCopiedFromItsSectionIntoTheDefaultOne) {
  fixed_keys_->keys[kFixedKeyId] = {9};
  const absl::StatusOr<CopiedKey> copied =
      Copy({.source = {.key_manager = "", .key_id = kFixedKeyId}, .key_manager = "", .name = "", .owner_user_id = ""});
  ASSERT_TRUE(copied.ok()) << copied.status();
  EXPECT_EQ(copied->key.key_manager, "local");
  EXPECT_EQ(keys_->keys[kCopy], std::vector<uint8_t>{9});
}

TEST_F(KeyCopyTest, KeyThatNothingVouchesForIsTakenInAsOpaque) {
  for (const bool vouched : {true, false}) {
    for (const size_t bytes : {size_t{15}, size_t{16}}) {
      keys_->high_entropy = vouched;
      keys_->keys[kKey] = std::vector<uint8_t>(bytes, 7);
      ASSERT_EQ(Outcome(Copy(ToOther())), "OK");
      EXPECT_EQ(other_keys_->imported_types.back(), vouched || bytes < 16 ? KeyType::kSymmetric : KeyType::kOpaque);
    }
  }
}

TEST_F(KeyCopyTest, RecordsThatComeMeanwhileAreCarriedOverAndThoseThatGoAreDropped) {
  PutRecords();
  int writes = 0;
  other_keys_->on_record = [&](const std::string&) {
    if (++writes != 2) return absl::OkStatus();
    keys_->records[kKey].erase("vol-2");
    keys_->records[kKey]["vol-1"].luks_uuid = kOtherUuid;
    keys_->records[kKey]["vol-3"] = {.volume_id = "vol-3", .host = kHost, .luks_uuid = kUuid};
    return absl::OkStatus();
  };
  ASSERT_EQ(Outcome(Copy(ToOther())), "OK");
  const auto& carried = other_keys_->records[kCopy];
  ASSERT_EQ(carried.size(), 2U);
  EXPECT_EQ(carried.at("vol-1").luks_uuid, kOtherUuid);
  EXPECT_EQ(carried.at("vol-3").luks_uuid, kUuid);
}

TEST_F(KeyCopyTest, RecordsThatChangeAllTheTimeTakeTheCopyBack) {
  PutRecords();
  int writes = 0;
  other_keys_->on_record = [&](const std::string&) {
    keys_->records[kKey]["vol-1"].host = std::to_string(++writes);
    return absl::OkStatus();
  };
  EXPECT_EQ(Outcome(Copy(ToOther())), "KEY_IN_USE");
  EXPECT_THAT(other_keys_->keys, IsEmpty());
}

TEST_F(KeyCopyTest, AnotherKeyManagerDoesNotSeeTheCallersTokens) {
  PutRecords();
  const CallerTokens tokens = MadeUpTokens("user");
  FailSecondRecord(MakeError(Reason::kKeyAccessDenied, "no"));
  EXPECT_EQ(Outcome(CopyKey(key_managers_, ToOther(), {Soon(), &tokens})), "KEY_ACCESS_DENIED");
  EXPECT_THAT(keys_->callers, testing::Each("user/"));
  EXPECT_THAT(other_keys_->callers, testing::Each("agent"));
  EXPECT_EQ(other_keys_->calls.back(), std::string("delete ") + kCopy);
}

TEST_F(KeyCopyTest, CopyIntoTheSameKeyManagerIsOnTheCallersBehalf) {
  const CallerTokens tokens = MadeUpTokens("user");
  CopyKeyCall request = ToOther();
  request.key_manager = "local";
  EXPECT_EQ(Outcome(CopyKey(key_managers_, request, {Soon(), &tokens})), "OK");
  EXPECT_THAT(keys_->callers, testing::Each("user/"));
}

}  // namespace
}  // namespace volcrypt
