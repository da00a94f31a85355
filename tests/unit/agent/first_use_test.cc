#include "agent/first_use.h"

#include <gtest/gtest.h>

#include <string>

#include "agent/uuid.h"
#include "tests/unit/agent/attacher_fixture.h"

namespace volcrypt {
namespace {

class FirstUseTest : public AttacherTest {
 protected:
  FirstUseDialogue Dialogue() { return {*keys_, kKey, kVolume, kHost}; }
};

TEST_F(FirstUseTest, FreshClaimHasARandomUuidOfThisHost) {
  const absl::StatusOr<std::string> uuid = Dialogue().Claim("", Soon());
  ASSERT_TRUE(uuid.ok()) << uuid.status();
  EXPECT_TRUE(IsCanonicalUuid(*uuid));
  EXPECT_EQ(RecordOf(), "claimed host-a " + *uuid);
}

TEST_F(FirstUseTest, InterruptedFormatIsClaimedAgainAsItsUuid) {
  EXPECT_EQ(Dialogue().Claim(kUuid, Soon()).value_or(""), kUuid);
  EXPECT_EQ(RecordOf(), std::string("claimed host-a ") + kUuid);
}

TEST_F(FirstUseTest, StandingClaimOfThisHostDecidesTheUuid) {
  PutRecord(State::kClaimed, kHost, kUuid);
  EXPECT_EQ(Dialogue().Claim("", Soon()).value_or(""), kUuid);
  EXPECT_EQ(Dialogue().Claim(kUuid, Soon()).value_or(""), kUuid);
}

TEST_F(FirstUseTest, InterruptedFormatOfAnotherUuidThanTheClaimIsNotGuessedAt) {
  PutRecord(State::kClaimed, kHost, kUuid);
  EXPECT_EQ(Outcome(Dialogue().Claim(kOtherUuid, Soon())), "FORMAT_INCOMPLETE");
}

TEST_F(FirstUseTest, DamagedClaimIsNotGuessedAt) {
  for (const char* uuid : {"", "no uuid", "01234567-89AB-4DEF-8123-456789ABCDEF"}) {
    PutRecord(State::kClaimed, kHost, uuid);
    EXPECT_EQ(Outcome(Dialogue().Claim("", Soon())), "FORMAT_INCOMPLETE") << uuid;
  }
}

TEST_F(FirstUseTest, ClaimOfAnotherHostForbids) {
  PutRecord(State::kClaimed, kOtherHost, kUuid);
  for (const char* resume : {"", kUuid, kOtherUuid}) {
    const absl::Status refused = Dialogue().Claim(resume, Soon()).status();
    EXPECT_EQ(Outcome(refused), "FORMAT_INCOMPLETE");
    EXPECT_EQ(MetadataOf(refused)["host"], kOtherHost);
  }
  EXPECT_EQ(RecordOf(), std::string("claimed host-b ") + kUuid);
}

TEST_F(FirstUseTest, FormattedRecordForbidsWhoeverWroteIt) {
  for (const char* host : {kHost, kOtherHost}) {
    PutRecord(State::kFormatted, host, kUuid);
    for (const char* resume : {"", kUuid}) {
      const absl::Status refused = Dialogue().Claim(resume, Soon()).status();
      EXPECT_EQ(Outcome(refused), "VOLUME_HEADER_LOST");
      EXPECT_EQ(MetadataOf(refused)["host"], host);
      EXPECT_EQ(MetadataOf(refused)["luks_uuid"], kUuid);
    }
  }
}

TEST_F(FirstUseTest, OnlyLackOfPermissionLetsAClaimPass) {
  for (const Reason reason : KeyManagerReasons()) {
    Fail(keys_->on_claim, reason);
    FirstUseDialogue dialogue = Dialogue();
    const absl::StatusOr<std::string> uuid = dialogue.Claim("", Soon());
    EXPECT_EQ(Outcome(uuid), reason == Reason::kKeyAccessDenied ? "OK" : Name(reason));
    EXPECT_EQ(dialogue.Warnings().size(), reason == Reason::kKeyAccessDenied ? 1U : 0U) << Name(reason);
  }
}

TEST_F(FirstUseTest, WithoutPermissionToClaimTheUuidToResumeIsKept) {
  Fail(keys_->on_claim, Reason::kKeyAccessDenied);
  EXPECT_EQ(Dialogue().Claim(kUuid, Soon()).value_or(""), kUuid);
  EXPECT_TRUE(IsCanonicalUuid(Dialogue().Claim("", Soon()).value_or("")));
}

// A reader of the key sees the records that it may not write.
TEST_F(FirstUseTest, RecordForbidsEvenWithoutPermissionToClaim) {
  Fail(keys_->on_claim, Reason::kKeyAccessDenied);
  PutRecord(State::kFormatted, kOtherHost, kUuid);
  EXPECT_EQ(Outcome(Dialogue().Claim("", Soon())), "VOLUME_HEADER_LOST");
  PutRecord(State::kClaimed, kOtherHost, kUuid);
  EXPECT_EQ(Outcome(Dialogue().Claim("", Soon())), "FORMAT_INCOMPLETE");
  PutRecord(State::kClaimed, kHost, kUuid);
  EXPECT_EQ(Dialogue().Claim("", Soon()).value_or(""), kUuid);
}

TEST_F(FirstUseTest, RecordIsFoundWhateverTheCaseOfItsVolume) {
  Fail(keys_->on_claim, Reason::kKeyAccessDenied);
  keys_->records[kKey]["vol-1"] = {
      .volume_id = "VOL-1", .state = State::kFormatted, .host = kOtherHost, .luks_uuid = kUuid};
  EXPECT_EQ(Outcome(Dialogue().Claim("", Soon())), "VOLUME_HEADER_LOST");
}

TEST_F(FirstUseTest, WithoutPermissionToClaimTheRecordMustBeReadOrForbiddenToBe) {
  Fail(keys_->on_claim, Reason::kKeyAccessDenied);
  for (const Reason reason : KeyManagerReasons()) {
    Fail(keys_->on_get_metadata, reason);
    EXPECT_EQ(Outcome(Dialogue().Claim("", Soon())), reason == Reason::kKeyAccessDenied ? "OK" : Name(reason));
  }
}

TEST_F(FirstUseTest, CheckForbidsAsClaimDoesAndWritesNothing) {
  EXPECT_EQ(Outcome(Dialogue().Check("", Soon())), "OK");
  EXPECT_EQ(RecordOf(), "none");
  PutRecord(State::kFormatted, kHost, kUuid);
  EXPECT_EQ(Outcome(Dialogue().Check("", Soon())), "VOLUME_HEADER_LOST");
  PutRecord(State::kClaimed, kOtherHost, kUuid);
  EXPECT_EQ(Outcome(Dialogue().Check("", Soon())), "FORMAT_INCOMPLETE");
  PutRecord(State::kClaimed, kHost, kUuid);
  EXPECT_EQ(Outcome(Dialogue().Check("", Soon())), "OK");
  EXPECT_EQ(Outcome(Dialogue().Check(kOtherUuid, Soon())), "FORMAT_INCOMPLETE");
  for (const Reason reason : KeyManagerReasons()) {
    Fail(keys_->on_get_metadata, reason);
    EXPECT_EQ(Outcome(Dialogue().Check("", Soon())), "OK") << Name(reason);
  }
}

TEST_F(FirstUseTest, OnlyAFreshClaimIsWithdrawn) {
  FirstUseDialogue fresh = Dialogue();
  ASSERT_TRUE(fresh.Claim("", Soon()).ok());
  EXPECT_EQ(Outcome(fresh.Withdraw(Soon())), "OK");
  EXPECT_EQ(RecordOf(), "none");

  PutRecord(State::kClaimed, kHost, kUuid);
  const std::string standing = RecordOf();
  for (const char* resume : {"", kUuid, kOtherUuid}) {
    FirstUseDialogue dialogue = Dialogue();
    static_cast<void>(dialogue.Claim(resume, Soon()));
    EXPECT_EQ(Outcome(dialogue.Withdraw(Soon())), "OK");
    EXPECT_EQ(RecordOf(), standing) << resume;
  }
}

TEST_F(FirstUseTest, ClaimOfAFormatToResumeIsNeverWithdrawn) {
  FirstUseDialogue dialogue = Dialogue();
  ASSERT_TRUE(dialogue.Claim(kUuid, Soon()).ok());
  EXPECT_EQ(Outcome(dialogue.Withdraw(Soon())), "OK");
  EXPECT_EQ(RecordOf(), std::string("claimed host-a ") + kUuid);
}

TEST_F(FirstUseTest, FailedWithdrawalIsTold) {
  for (const Reason reason : KeyManagerReasons()) {
    keys_->records.clear();
    FirstUseDialogue dialogue = Dialogue();
    ASSERT_TRUE(dialogue.Claim("", Soon()).ok());
    Fail(keys_->on_drop, reason);
    EXPECT_EQ(Outcome(dialogue.Withdraw(Soon())), Name(reason));
  }
}

TEST_F(FirstUseTest, ConfirmationReplacesTheClaim) {
  FirstUseDialogue dialogue = Dialogue();
  const std::string uuid = dialogue.Claim("", Soon()).value_or("");
  EXPECT_EQ(Outcome(dialogue.Confirm(uuid, Soon())), "OK");
  EXPECT_EQ(RecordOf(), "formatted host-a " + uuid);
  // What is confirmed is withdrawn no more.
  EXPECT_EQ(Outcome(dialogue.Withdraw(Soon())), "OK");
  EXPECT_EQ(RecordOf(), "formatted host-a " + uuid);
}

TEST_F(FirstUseTest, OnlyLackOfPermissionLetsAConfirmationPass) {
  for (const Reason reason : KeyManagerReasons()) {
    Fail(keys_->on_record, reason);
    FirstUseDialogue dialogue = Dialogue();
    EXPECT_EQ(Outcome(dialogue.Confirm(kUuid, Soon())), reason == Reason::kKeyAccessDenied ? "OK" : Name(reason));
    EXPECT_EQ(dialogue.Warnings().size(), reason == Reason::kKeyAccessDenied ? 1U : 0U) << Name(reason);
  }
}

TEST_F(FirstUseTest, MissingRecordOfAnOpenedVolumeIsWritten) {
  FirstUseDialogue dialogue = Dialogue();
  dialogue.NoteOpened(kUuid, Soon());
  EXPECT_EQ(RecordOf(), std::string("formatted host-a ") + kUuid);
  EXPECT_TRUE(dialogue.Warnings().empty());
}

TEST_F(FirstUseTest, RightRecordOfAnOpenedVolumeIsLeftAlone) {
  PutRecord(State::kFormatted, kOtherHost, kUuid);
  Dialogue().NoteOpened(kUuid, Soon());
  EXPECT_EQ(RecordOf(), std::string("formatted host-b ") + kUuid);
  EXPECT_EQ(keys_->calls, Calls({"metadata key-1"}));
}

TEST_F(FirstUseTest, ClaimOfAnOpenedVolumeIsCompletedForTheHostThatFormatted) {
  PutRecord(State::kClaimed, kOtherHost, kUuid);
  Dialogue().NoteOpened(kUuid, Soon());
  EXPECT_EQ(RecordOf(), std::string("formatted host-b ") + kUuid);
}

// A restored backup brings another header under the same volume id.
TEST_F(FirstUseTest, RecordOfAnotherHeaderIsReplaced) {
  PutRecord(State::kFormatted, kOtherHost, kOtherUuid);
  Dialogue().NoteOpened(kUuid, Soon());
  EXPECT_EQ(RecordOf(), std::string("formatted host-a ") + kUuid);
}

TEST_F(FirstUseTest, BookkeepingOfAnOpenedVolumeOnlyWarns) {
  for (const Reason reason : KeyManagerReasons()) {
    keys_->on_get_metadata = nullptr;
    Fail(keys_->on_record, reason);
    FirstUseDialogue unwritten = Dialogue();
    unwritten.NoteOpened(kUuid, Soon());
    EXPECT_EQ(unwritten.Warnings().size(), 1U) << Name(reason);

    Fail(keys_->on_get_metadata, reason);
    keys_->calls.clear();
    FirstUseDialogue unread = Dialogue();
    unread.NoteOpened(kUuid, Soon());
    EXPECT_EQ(unread.Warnings().size(), 1U) << Name(reason);
    EXPECT_EQ(keys_->calls, Calls({"metadata key-1"}));  // what cannot be read is not replaced
  }
}

absl::Status NoRecords(const std::string&) { return NotHeld("it has no place for records"); }

TEST_F(FirstUseTest, KeyManagerWithoutRecordsIsDoneWithoutAndWarnsOnce) {
  keys_->on_claim = NoRecords;
  keys_->on_record = NoRecords;
  FirstUseDialogue dialogue = Dialogue();
  const absl::StatusOr<std::string> uuid = dialogue.Claim("", Soon());
  ASSERT_TRUE(uuid.ok()) << uuid.status();
  EXPECT_TRUE(IsCanonicalUuid(*uuid));
  EXPECT_EQ(Outcome(dialogue.Confirm(*uuid, Soon())), "OK");
  EXPECT_EQ(dialogue.Warnings().size(), 1U);
  EXPECT_EQ(RecordOf(), "none");
}

TEST_F(FirstUseTest, KeyManagerWithoutRecordsKeepsTheUuidToResume) {
  keys_->on_claim = NoRecords;
  keys_->on_get_metadata = NoRecords;
  EXPECT_EQ(Dialogue().Claim(kUuid, Soon()).value_or(""), kUuid);
}

// One that holds records of others, but takes none of ours.
TEST_F(FirstUseTest, RecordForbidsAlsoWhereNoneCanBeWritten) {
  keys_->on_claim = NoRecords;
  PutRecord(State::kFormatted, kOtherHost, kUuid);
  EXPECT_EQ(Outcome(Dialogue().Claim("", Soon())), "VOLUME_HEADER_LOST");
}

TEST_F(FirstUseTest, ConfirmationWithoutRecordsPassesWithAWarning) {
  keys_->on_record = NoRecords;
  FirstUseDialogue dialogue = Dialogue();
  EXPECT_EQ(Outcome(dialogue.Confirm(kUuid, Soon())), "OK");
  EXPECT_EQ(dialogue.Warnings().size(), 1U);
}

TEST_F(FirstUseTest, WithdrawalWithoutRecordsIsDone) {
  FirstUseDialogue dialogue = Dialogue();
  ASSERT_TRUE(dialogue.Claim("", Soon()).ok());
  keys_->on_drop = NoRecords;
  EXPECT_EQ(Outcome(dialogue.Withdraw(Soon())), "OK");
}

TEST_F(FirstUseTest, BookkeepingWithoutRecordsOnlyWarns) {
  keys_->on_record = NoRecords;
  FirstUseDialogue unwritten = Dialogue();
  unwritten.NoteOpened(kUuid, Soon());
  EXPECT_EQ(unwritten.Warnings().size(), 1U);
  keys_->on_get_metadata = NoRecords;
  FirstUseDialogue unread = Dialogue();
  unread.NoteOpened(kUuid, Soon());
  unread.NoteAttached(kUuid, Soon());
  EXPECT_EQ(unread.Warnings().size(), 1U);
}

TEST_F(FirstUseTest, VolumeWithoutLuksUuidHasNoRecord) {
  Dialogue().NoteOpened("", Soon());
  EXPECT_TRUE(keys_->calls.empty());
}

}  // namespace
}  // namespace volcrypt
