// What a first use undoes when a step fails, and what it leaves.
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "tests/unit/agent/attacher_fixture.h"

namespace volcrypt {
namespace {

using AttachRollbackTest = AttacherTest;

// Written out here once more, so that a change of the rule has to be meant.
const std::set<Reason>& ClaimStaysAfter() {
  static const std::set<Reason> reasons = {Reason::kDeviceInUse,           Reason::kMappingInUse,
                                           Reason::kFormatIncomplete,      Reason::kKeyRejected,
                                           Reason::kKeyManagerUnavailable, Reason::kLibvirtUnavailable,
                                           Reason::kHelperUnavailable,     Reason::kDraining,
                                           Reason::kOperationInProgress,   Reason::kTooManyOperations,
                                           Reason::kOutOfMemory,           Reason::kDeviceTimedOut,
                                           Reason::kKeyManagerTimedOut,    Reason::kCallerTokenRejected,
                                           Reason::kCallerUnknown,         Reason::kCallerNotAllowed,
                                           Reason::kWorkerFailed};
  return reasons;
}

TEST_F(AttachRollbackTest, RefusedFormatGivesTheClaimBackAndAnUnclearOneDoesNot) {
  for (const Reason reason : AllReasons()) {
    Reset();
    FailFormat(reason);
    EXPECT_EQ(Outcome(Attach(Call(kBlank))), Name(reason));
    const bool stays = ClaimStaysAfter().contains(reason);
    EXPECT_EQ(RecordOf().substr(0, 7), stays ? "claimed" : "none") << Name(reason);
    EXPECT_EQ(keys_->calls.back(), stays ? "claim key-1 vol-1" : "drop key-1 vol-1") << Name(reason);
  }
}

TEST_F(AttachRollbackTest, RecordThatSomebodyWroteMeanwhileIsNotGivenBack) {
  encryptor_.on_attach = [this](const AttachRequest& request, const Key*) -> absl::StatusOr<AttachResult> {
    if (request.format_as_uuid.empty()) return AttachResult{.outcome = AttachOutcome::kBlank};
    // Another host opens the real volume while this one looks at the wrong device.
    FirstUseRecord& record = keys_->records["key-1"]["vol-1"];
    record.state = FirstUseRecord::State::kFormatted;
    record.luks_uuid = "0fd6f9a9-7c6a-4d29-8d5c-0a4a7e6f3c11";
    return MakeError(Reason::kDeviceNotBlank, "data at byte 8388608");
  };
  EXPECT_EQ(Outcome(Attach(Call(kBlank))), "DEVICE_NOT_BLANK");
  EXPECT_EQ(RecordOf().substr(0, 9), "formatted");
}

TEST_F(AttachRollbackTest, ClaimStaysOnceTheWorkerHasBegunToFormat) {
  for (const Reason reason : AllReasons()) {
    Reset();
    encryptor_.on_attach = [reason](const AttachRequest& request, const Key*) -> absl::StatusOr<AttachResult> {
      if (request.format_as_uuid.empty()) return AttachResult{.outcome = AttachOutcome::kBlank};
      return MakeError(reason, "in the middle of it", {{std::string(kFormatBegun), "true"}});
    };
    EXPECT_EQ(Outcome(Attach(Call(kBlank))), Name(reason));
    EXPECT_EQ(RecordOf().substr(0, 7), "claimed") << Name(reason);
  }
}

TEST_F(AttachRollbackTest, StandingClaimIsNeverGivenBack) {
  for (const Reason reason : AllReasons()) {
    Reset();
    PutRecord(State::kClaimed, kHost, kUuid);
    FailFormat(reason);
    EXPECT_EQ(Outcome(Attach(Call(kBlank))), Name(reason));
    EXPECT_EQ(RecordOf(), std::string("claimed host-a ") + kUuid) << Name(reason);
  }
}

TEST_F(AttachRollbackTest, FailedGivingBackIsAddedToTheFirstError) {
  for (const Reason reason : KeyManagerReasons()) {
    Reset();
    FailFormat(Reason::kDeviceTooSmall);
    keys_->on_drop = [reason](const std::string&) { return MakeError(reason, "the claim would not go"); };
    const absl::StatusOr<AttachAnswer> answer = Attach(Call(kBlank));
    EXPECT_EQ(Outcome(answer), "DEVICE_TOO_SMALL");
    EXPECT_NE(answer.status().message().find("the claim would not go"), absl::string_view::npos) << answer.status();
  }
}

TEST_F(AttachRollbackTest, RetryAfterAnUnclearFormatConverges) {
  FailFormat(Reason::kDeviceTimedOut);
  ASSERT_EQ(Outcome(Attach(Call(kBlank))), "DEVICE_TIMED_OUT");
  const std::string claim = RecordOf();
  encryptor_.on_attach = nullptr;
  const absl::StatusOr<AttachAnswer> answer = Attach(Call(kBlank));
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(claim, "claimed host-a " + answer->mapping.luks_uuid);
}

TEST_F(AttachRollbackTest, UnconfirmedRecordClosesTheMappingUnlessItMayNotBeWritten) {
  for (const Reason reason : KeyManagerReasons()) {
    Reset();
    Fail(keys_->on_record, reason);
    const absl::StatusOr<AttachAnswer> answer = Attach(Call(kBlank));
    if (reason == Reason::kKeyAccessDenied) {
      ASSERT_TRUE(answer.ok()) << answer.status();
      EXPECT_EQ(answer->warnings.size(), 1U);
      EXPECT_TRUE(encryptor_.mapped.contains(kVolume));
      continue;
    }
    const bool away = reason == Reason::kKeyManagerTimedOut;
    EXPECT_EQ(Outcome(answer), away ? "KEY_MANAGER_UNAVAILABLE" : Name(reason));
    EXPECT_EQ(encryptor_.calls, Calls({"attach vol-1", "format vol-1", "detach vol-1"})) << Name(reason);
    EXPECT_FALSE(encryptor_.mapped.contains(kVolume)) << Name(reason);
    EXPECT_EQ(RecordOf().substr(0, 7), "claimed") << Name(reason);
  }
}

TEST_F(AttachRollbackTest, NextAttachConfirmsWhatCouldNotBeConfirmed) {
  Fail(keys_->on_record, Reason::kKeyManagerUnavailable);
  ASSERT_EQ(Outcome(Attach(Call(kBlank))), "KEY_MANAGER_UNAVAILABLE");
  keys_->on_record = nullptr;
  const absl::StatusOr<AttachAnswer> answer = Attach(Call(kBlank));
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_FALSE(answer->formatted);
  EXPECT_EQ(RecordOf(), "formatted host-a " + answer->mapping.luks_uuid);
}

TEST_F(AttachRollbackTest, FailedClosingIsAddedToTheFirstError) {
  for (const Reason reason : AllReasons()) {
    Reset();
    Fail(keys_->on_record, Reason::kKeyManagerUnavailable);
    encryptor_.on_detach = [reason](const DetachRequest&) { return MakeError(reason, "it would not close"); };
    const absl::StatusOr<AttachAnswer> answer = Attach(Call(kBlank));
    EXPECT_EQ(Outcome(answer), "KEY_MANAGER_UNAVAILABLE");
    EXPECT_NE(answer.status().message().find("it would not close"), absl::string_view::npos) << Name(reason);
  }
}

}  // namespace
}  // namespace volcrypt
