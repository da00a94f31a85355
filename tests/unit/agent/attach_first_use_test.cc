// First use through the attacher: the dialogue of encryptor and key manager.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <tuple>
#include <vector>

#include "agent/uuid.h"
#include "tests/unit/agent/attacher_fixture.h"

namespace volcrypt {
namespace {

class AttachFirstUseTest : public AttacherTest {
 protected:
  void AnswerFormat(AttachOutcome outcome, const std::string& luks_uuid) {
    encryptor_.on_attach = [this, outcome, luks_uuid](const AttachRequest& request,
                                                      const Key* key) -> absl::StatusOr<AttachResult> {
      if (request.format_as_uuid.empty()) return encryptor_.AttachAsUsual(request, key);
      AttachResult result;
      result.outcome = outcome;
      result.mapping.volume_id = request.volume_id;
      result.mapping.luks_uuid = luks_uuid;
      return result;
    };
  }

  static AttachResult LookOf(AttachOutcome outcome) {
    AttachResult result;
    result.outcome = outcome;
    return result;
  }

  // What a device shows while another host makes its header.
  static std::vector<absl::StatusOr<AttachResult>> StaleLooks() {
    std::vector<absl::StatusOr<AttachResult>> looks = {LookOf(AttachOutcome::kBlank)};
    for (const Reason reason : {Reason::kDeviceNotBlank, Reason::kHeaderDamaged, Reason::kFormatIncomplete}) {
      looks.emplace_back(MakeError(reason, "half of a header"));
    }
    return looks;
  }

  // The first look is answered with `first`, later ones as usual.
  void AnswerFirstLook(const absl::StatusOr<AttachResult>& first) {
    looks_ = 0;
    encryptor_.on_attach = [this, first](const AttachRequest& request, const Key* key) {
      return ++looks_ == 1 ? first : encryptor_.AttachAsUsual(request, key);
    };
  }

  void AnswerLooks(const absl::StatusOr<AttachResult>& first, const absl::StatusOr<AttachResult>& later) {
    looks_ = 0;
    encryptor_.on_attach = [this, first, later](const AttachRequest&, const Key*) {
      return ++looks_ == 1 ? first : later;
    };
  }

  int looks_ = 0;
};

TEST_F(AttachFirstUseTest, BlankVolumeIsClaimedFormattedConfirmedAndThenAnswered) {
  const absl::StatusOr<AttachAnswer> answer = Attach(Call(kBlank));
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_TRUE(answer->formatted);
  EXPECT_FALSE(answer->already_attached);
  EXPECT_TRUE(answer->warnings.empty());
  EXPECT_EQ(answer->mapping.volume_id, kVolume);
  EXPECT_TRUE(IsCanonicalUuid(answer->mapping.luks_uuid));
  EXPECT_EQ(encryptor_.calls, Calls({"attach vol-1", "format vol-1"}));
  EXPECT_EQ(keys_->calls, Calls({"get key-1", "claim key-1 vol-1", "record key-1 vol-1"}));
  EXPECT_EQ(RecordOf(), "formatted host-a " + answer->mapping.luks_uuid);
}

TEST_F(AttachFirstUseTest, FormatGetsTheConfiguredFormatAndTheResolvedKeyManager) {
  ASSERT_EQ(Outcome(Attach(Call(kBlank))), "OK");
  ASSERT_EQ(encryptor_.attach_requests.size(), 2U);
  EXPECT_EQ(encryptor_.attach_requests[0].format_as_uuid, "");
  EXPECT_EQ(encryptor_.attach_requests[1].encryption.format, Format::kLuks2);
  EXPECT_EQ(encryptor_.attach_requests[1].key.key_manager, "local");
  EXPECT_EQ(encryptor_.attach_requests[1].key.key_id, kKey);
}

TEST_F(AttachFirstUseTest, FormatThatIsForbiddenIsNotMadeAndItsClaimWithdrawn) {
  std::string asked;
  const auto forbid = [&](const FormatPlan& plan) {
    asked = std::string(plan.will) + ", " + plan.device_identity;
    EXPECT_EQ(RecordOf(), "claimed host-a " + plan.luks_uuid);
    return MakeError(Reason::kStateNotWritable, "not written");
  };
  EXPECT_EQ(Outcome(attacher_.Attach(Call(kBlank), Soon(), forbid)), "STATE_NOT_WRITABLE");
  EXPECT_EQ(asked, std::string("formats the blank device, 8:16 serial=of-") + kBlank);
  EXPECT_EQ(encryptor_.calls, Calls({"attach vol-1"}));
  EXPECT_EQ(RecordOf(), "none");
}

TEST_F(AttachFirstUseTest, VolumeThatIsFormattedAsksNobody) {
  const auto forbid = [](const FormatPlan&) { return MakeError(Reason::kStateNotWritable, "no"); };
  EXPECT_EQ(Outcome(attacher_.Attach(Call(kFormatted), Soon(), forbid)), "OK");
}

TEST_F(AttachFirstUseTest, ClaimIsMadeBeforeTheFirstByteIsWritten) {
  std::string record_at_format;
  encryptor_.on_attach = [&](const AttachRequest& request, const Key* key) {
    if (!request.format_as_uuid.empty()) {
      record_at_format = RecordOf();
      EXPECT_EQ(record_at_format, "claimed host-a " + request.format_as_uuid);
    }
    return encryptor_.AttachAsUsual(request, key);
  };
  EXPECT_EQ(Outcome(Attach(Call(kBlank))), "OK");
  EXPECT_NE(record_at_format, "");
}

TEST_F(AttachFirstUseTest, CrashBetweenClaimAndFormatIsContinuedAsTheClaimSays) {
  PutRecord(State::kClaimed, kHost, kUuid);
  const absl::StatusOr<AttachAnswer> answer = Attach(Call(kBlank));
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->mapping.luks_uuid, kUuid);
  EXPECT_EQ(RecordOf(), std::string("formatted host-a ") + kUuid);
}

TEST_F(AttachFirstUseTest, CrashDuringFormatIsContinuedAsTheIntentSays) {
  encryptor_.devices[kBlank].resume_uuid = kUuid;
  for (const bool claim_stands : {true, false}) {
    Reset();
    encryptor_.devices[kBlank].resume_uuid = kUuid;
    if (claim_stands) PutRecord(State::kClaimed, kHost, kUuid);
    const absl::StatusOr<AttachAnswer> answer = Attach(Call(kBlank));
    ASSERT_TRUE(answer.ok()) << answer.status();
    EXPECT_EQ(answer->mapping.luks_uuid, kUuid);
    EXPECT_EQ(RecordOf(), std::string("formatted host-a ") + kUuid);
  }
}

TEST_F(AttachFirstUseTest, CrashAfterFormatIsCompletedByTheNextAttach) {
  PutRecord(State::kClaimed, kHost, kUuid);
  const absl::StatusOr<AttachAnswer> answer = Attach(Call(kFormatted));
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_FALSE(answer->formatted);
  EXPECT_EQ(RecordOf(), std::string("formatted host-a ") + kUuid);
}

TEST_F(AttachFirstUseTest, RecordOfAnotherUseForbidsAndStays) {
  const std::vector<std::tuple<State, std::string, std::string, std::string>> cases = {
      {State::kClaimed, kOtherHost, "", "FORMAT_INCOMPLETE"},
      {State::kClaimed, kHost, kOtherUuid, "FORMAT_INCOMPLETE"},
      {State::kFormatted, kHost, "", "VOLUME_HEADER_LOST"},
      {State::kFormatted, kOtherHost, kUuid, "VOLUME_HEADER_LOST"},
  };
  for (const auto& [state, host, resume, expected] : cases) {
    Reset();
    encryptor_.devices[kBlank].resume_uuid = resume;
    PutRecord(state, host, kUuid);
    const std::string before = RecordOf();
    EXPECT_EQ(Outcome(Attach(Call(kBlank))), expected);
    EXPECT_EQ(RecordOf(), before);
    // Where another host has formatted it the device is looked at once more.
    const bool twice = state == State::kFormatted && host == kOtherHost;
    EXPECT_EQ(encryptor_.calls, twice ? Calls({"attach vol-1", "attach vol-1"}) : Calls({"attach vol-1"}));
    EXPECT_TRUE(encryptor_.devices[kBlank].blank);
  }
}

TEST_F(AttachFirstUseTest, OnlyLackOfPermissionLetsTheClaimFail) {
  for (const Reason reason : KeyManagerReasons()) {
    Reset();
    Fail(keys_->on_claim, reason);
    const absl::StatusOr<AttachAnswer> answer = Attach(Call(kBlank));
    if (reason == Reason::kKeyAccessDenied) {
      ASSERT_TRUE(answer.ok()) << answer.status();
      EXPECT_TRUE(answer->formatted);
      EXPECT_EQ(answer->warnings.size(), 1U);
    } else {
      EXPECT_EQ(Outcome(answer), Name(reason));
      EXPECT_EQ(encryptor_.calls, Calls({"attach vol-1"})) << Name(reason);
    }
  }
}

TEST_F(AttachFirstUseTest, WithoutTheKeyNothingIsClaimed) {
  for (const Reason reason : KeyManagerReasons()) {
    Reset();
    Fail(keys_->on_get, reason);
    EXPECT_EQ(Outcome(Attach(Call(kBlank))), Name(reason));
    EXPECT_EQ(RecordOf(), "none");
    EXPECT_TRUE(encryptor_.devices[kBlank].blank);
  }
}

TEST_F(AttachFirstUseTest, WhatTheRecordForbidsIsToldBeforeWhatTheKeyLacks) {
  for (const Reason reason : {Reason::kKeyAccessDenied, Reason::kKeyUnfit}) {
    Fail(keys_->on_get, reason);
    PutRecord(State::kFormatted, kOtherHost, kUuid);
    EXPECT_EQ(Outcome(Attach(Call(kBlank))), "VOLUME_HEADER_LOST");
    PutRecord(State::kClaimed, kOtherHost, kUuid);
    EXPECT_EQ(Outcome(Attach(Call(kBlank))), "FORMAT_INCOMPLETE");
  }
}

TEST_F(AttachFirstUseTest, WorkerThatWasToldToFormatMustDoItOrSayWhyNot) {
  for (const AttachOutcome outcome : {AttachOutcome::kBlank, AttachOutcome::kKeyNeeded}) {
    Reset();
    AnswerFormat(outcome, "");
    EXPECT_EQ(Outcome(Attach(Call(kBlank))), "WORKER_FAILED");
    EXPECT_EQ(RecordOf().substr(0, 7), "claimed");
  }
}

TEST_F(AttachFirstUseTest, FormatAsAnotherUuidIsClosedAgain) {
  AnswerFormat(AttachOutcome::kFormatted, kOtherUuid);
  EXPECT_EQ(Outcome(Attach(Call(kBlank))), "WORKER_FAILED");
  EXPECT_EQ(encryptor_.calls.back(), "detach vol-1");
}

// Somebody else was faster between the two operations.
TEST_F(AttachFirstUseTest, VolumeThatTurnsOutFormattedIsRecordedAsItIs) {
  for (const AttachOutcome outcome : {AttachOutcome::kOpened, AttachOutcome::kAlreadyAttached}) {
    Reset();
    AnswerFormat(outcome, kOtherUuid);
    const absl::StatusOr<AttachAnswer> answer = Attach(Call(kBlank));
    ASSERT_TRUE(answer.ok()) << answer.status();
    EXPECT_FALSE(answer->formatted);
    EXPECT_EQ(answer->already_attached, outcome == AttachOutcome::kAlreadyAttached);
    EXPECT_EQ(RecordOf(), std::string("formatted host-a ") + kOtherUuid);
  }
}

// A worker or the agent died after the mapping had appeared and before the record was confirmed.
TEST_F(AttachFirstUseTest, RepeatOverAMappingConfirmsTheClaimThatWasLeftStanding) {
  AttachAndShow(Call(kFormatted));
  PutRecord(State::kClaimed, kHost, kUuid);
  const absl::StatusOr<AttachAnswer> answer = Attach(Call(kFormatted));
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_TRUE(answer->already_attached);
  EXPECT_EQ(RecordOf(), std::string("formatted host-a ") + kUuid);
}

// The mapping is there and serves, so a repeat is not refused; the claim stays until a key manager can be asked.
TEST_F(AttachFirstUseTest, RepeatWhileTheKeyManagerIsAwayWarnsAndTheNextOneConfirms) {
  AttachAndShow(Call(kFormatted));
  const std::string claim = std::string("claimed host-a ") + kUuid;
  for (const Reason reason : {Reason::kKeyManagerUnavailable, Reason::kKeyManagerTimedOut}) {
    for (FakeKeyManager::Hook* hook : {&keys_->on_get_metadata, &keys_->on_record}) {
      PutRecord(State::kClaimed, kHost, kUuid);
      Fail(*hook, reason);
      const absl::StatusOr<AttachAnswer> away = Attach(Call(kFormatted));
      ASSERT_TRUE(away.ok()) << away.status();
      EXPECT_TRUE(away->already_attached);
      EXPECT_THAT(away->warnings, testing::ElementsAre(testing::HasSubstr("the first-use record of volume vol-1")));
      EXPECT_EQ(RecordOf(), claim);
      EXPECT_TRUE(encryptor_.mapped.contains(kVolume));
      *hook = nullptr;
      EXPECT_EQ(Outcome(Attach(Call(kFormatted))), "OK");
      EXPECT_EQ(RecordOf(), std::string("formatted host-a ") + kUuid);
    }
  }
}

// The key of a repeat is not tried, so it must not get records of volumes that it may not open.
TEST_F(AttachFirstUseTest, RepeatOverAMappingWritesNoOtherRecord) {
  AttachAndShow(Call(kFormatted));
  for (const auto& [state, uuid] : {std::pair(State::kClaimed, kOtherUuid), {State::kFormatted, kOtherUuid}}) {
    PutRecord(state, kOtherHost, uuid);
    const std::string before = RecordOf();
    EXPECT_EQ(Outcome(Attach(Call(kFormatted))), "OK");
    EXPECT_EQ(RecordOf(), before);
  }
  keys_->records.clear();
  EXPECT_EQ(Outcome(Attach(Call(kFormatted))), "OK");
  EXPECT_EQ(RecordOf(), "none");
}

// Half of a header is no data to be wiped.
TEST_F(AttachFirstUseTest, WhatAnotherHostsFirstUseHasWrittenSoFarIsToldAsThat) {
  for (const Reason reason : AllReasons()) {
    encryptor_.on_attach = [reason](const AttachRequest&, const Key*) { return MakeError(reason, "at byte 0"); };
    PutRecord(State::kClaimed, kOtherHost, kUuid);
    const bool may_be_half =
        reason == Reason::kDeviceNotBlank || reason == Reason::kHeaderDamaged || reason == Reason::kFormatIncomplete;
    const absl::Status refused = Attach(Call(kFormatted)).status();
    EXPECT_EQ(Outcome(refused), may_be_half ? "FORMAT_INCOMPLETE" : Name(reason));
    EXPECT_EQ(MetadataOf(refused)["host"], may_be_half ? kOtherHost : "");
    EXPECT_EQ(RecordOf(), std::string("claimed host-b ") + kUuid);
  }
}

TEST_F(AttachFirstUseTest, WhatIsThereIsToldAsItIsUnlessAnotherHostHasBegun) {
  encryptor_.on_attach = [](const AttachRequest&, const Key*) { return MakeError(Reason::kDeviceNotBlank, "ext4"); };
  EXPECT_EQ(Outcome(Attach(Call(kFormatted))), "DEVICE_NOT_BLANK");
  PutRecord(State::kClaimed, kHost, kUuid);
  EXPECT_EQ(Outcome(Attach(Call(kFormatted))), "DEVICE_NOT_BLANK");
  PutRecord(State::kClaimed, kOtherHost, kUuid);
  Fail(keys_->on_get_metadata, Reason::kKeyManagerUnavailable);
  EXPECT_EQ(Outcome(Attach(Call(kFormatted))), "DEVICE_NOT_BLANK");
}

TEST_F(AttachFirstUseTest, FirstUseThatAnotherHostEndedMeanwhileIsFoundByASecondLook) {
  for (const absl::StatusOr<AttachResult>& first : StaleLooks()) {
    Reset();
    PutRecord(State::kFormatted, kOtherHost, kUuid);
    AnswerFirstLook(first);
    const absl::StatusOr<AttachAnswer> answer = Attach(Call(kFormatted));
    ASSERT_TRUE(answer.ok()) << answer.status();
    EXPECT_FALSE(answer->formatted);
    EXPECT_FALSE(answer->already_attached);
    EXPECT_EQ(answer->mapping.luks_uuid, kUuid);
    EXPECT_TRUE(encryptor_.mapped.contains(kVolume));
    EXPECT_EQ(encryptor_.calls, Calls({"attach vol-1", "attach vol-1"}));
    EXPECT_EQ(RecordOf(), std::string("formatted host-b ") + kUuid);
  }
}

TEST_F(AttachFirstUseTest, SecondLookThatDoesNotOpenLeavesTheFirstRefusal) {
  for (const absl::StatusOr<AttachResult>& first : StaleLooks()) {
    const std::string refusal = first.ok() ? "VOLUME_HEADER_LOST" : Outcome(first.status());
    for (const AttachOutcome second : {AttachOutcome::kBlank, AttachOutcome::kKeyNeeded, AttachOutcome::kFormatted,
                                       AttachOutcome::kAlreadyAttached}) {
      PutRecord(State::kFormatted, kOtherHost, kUuid);
      AnswerLooks(first, LookOf(second));
      EXPECT_EQ(Outcome(Attach(Call(kFormatted))), refusal);
      EXPECT_EQ(looks_, 2);
    }
    for (const Reason reason : AllReasons()) {
      PutRecord(State::kFormatted, kOtherHost, kUuid);
      AnswerLooks(first, MakeError(reason, "at the second look"));
      // Who finds the volume open knows more than the first look did.
      const bool is_open = reason == Reason::kAttachedDifferently;
      EXPECT_EQ(Outcome(Attach(Call(kFormatted))), is_open ? Name(reason) : refusal);
      EXPECT_EQ(looks_, 2);
      EXPECT_EQ(RecordOf(), std::string("formatted host-b ") + kUuid);
    }
  }
}

TEST_F(AttachFirstUseTest, SecondLookNeedsARecordOfAnotherHostsFormatAndTheKey) {
  for (const absl::StatusOr<AttachResult>& first : StaleLooks()) {
    const std::string refusal = first.ok() ? "VOLUME_HEADER_LOST" : Outcome(first.status());
    PutRecord(State::kFormatted, kHost, kUuid);
    AnswerFirstLook(first);
    EXPECT_EQ(Outcome(Attach(Call(kFormatted))), refusal);
    EXPECT_EQ(looks_, 1);
    PutRecord(State::kFormatted, kOtherHost, kUuid);
    Fail(keys_->on_get, Reason::kKeyAccessDenied);
    AnswerFirstLook(first);
    EXPECT_EQ(Outcome(Attach(Call(kFormatted))), refusal);
    EXPECT_EQ(looks_, 1);
    keys_->on_get = nullptr;
  }
}

TEST_F(AttachFirstUseTest, NothingIsFormattedThatMayNotBe) {
  AttachCall refuse = Call(kBlank);
  refuse.first_use = FirstUsePolicy::kRefuse;
  AttachCall read_only = Call(kBlank);
  read_only.read_only = true;
  for (const AttachCall& call : {refuse, read_only}) {
    Reset();
    EXPECT_EQ(Outcome(Attach(call)), "VOLUME_NOT_FORMATTED");
    // Not even when the worker offers it.
    encryptor_.on_attach = [](const AttachRequest&, const Key*) {
      AttachResult blank;
      blank.outcome = AttachOutcome::kBlank;
      return blank;
    };
    EXPECT_EQ(Outcome(Attach(call)), "WORKER_FAILED");
    encryptor_.on_attach = nullptr;
    EXPECT_EQ(RecordOf(), "none");
    EXPECT_TRUE(encryptor_.devices[kBlank].blank);
  }
}

}  // namespace
}  // namespace volcrypt
