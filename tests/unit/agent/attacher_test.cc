#include "agent/attacher.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/unit/agent/attacher_fixture.h"

namespace volcrypt {
namespace {

TEST_F(AttacherTest, FormattedVolumeIsOpenedAndItsMissingRecordWritten) {
  const absl::StatusOr<AttachAnswer> answer = Attach(Call(kFormatted));
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_FALSE(answer->formatted);
  EXPECT_FALSE(answer->already_attached);
  EXPECT_EQ(answer->mapping.luks_uuid, kUuid);
  EXPECT_EQ(encryptor_.calls, Calls({"attach vol-1"}));
  EXPECT_EQ(keys_->calls, Calls({"get key-1", "metadata key-1", "record key-1 vol-1"}));
  EXPECT_EQ(RecordOf(), std::string("formatted host-a ") + kUuid);
}

TEST_F(AttacherTest, WarningsOfTheWorkerReachTheAnswer) {
  encryptor_.on_attach = [this](const AttachRequest& request, const Key* key) -> absl::StatusOr<AttachResult> {
    absl::StatusOr<AttachResult> result = encryptor_.AttachAsUsual(request, key);
    if (result.ok()) result->warnings.emplace_back("from the worker");
    return result;
  };
  Fail(keys_->on_record, Reason::kKeyAccessDenied);
  const absl::StatusOr<AttachAnswer> answer = Attach(Call(kFormatted));
  ASSERT_TRUE(answer.ok()) << answer.status();
  ASSERT_EQ(answer->warnings.size(), 2U);
  EXPECT_EQ(answer->warnings[0], "from the worker");
}

TEST_F(AttacherTest, RecordThatCannotBeKeptDoesNotCostAnOpenedVolume) {
  for (const Reason reason : KeyManagerReasons()) {
    encryptor_.mapped.clear();
    Fail(keys_->on_get_metadata, reason);
    const absl::StatusOr<AttachAnswer> answer = Attach(Call(kFormatted));
    ASSERT_TRUE(answer.ok()) << answer.status();
    EXPECT_EQ(answer->warnings.size(), 1U) << Name(reason);
  }
}

TEST_F(AttacherTest, RepeatedAttachNeedsNoKeyManager) {
  AttachAndShow(Call(kFormatted));
  for (FakeKeyManager::Hook* hook : {&keys_->on_get, &keys_->on_get_metadata, &keys_->on_claim, &keys_->on_record}) {
    Fail(*hook, Reason::kKeyManagerUnavailable);
  }
  const absl::StatusOr<AttachAnswer> answer = Attach(Call(kFormatted));
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_TRUE(answer->already_attached);
  EXPECT_EQ(answer->mapping.luks_uuid, kUuid);
  EXPECT_EQ(keys_->calls, Calls({"metadata key-1"}));
  EXPECT_EQ(encryptor_.calls, Calls({"attach vol-1"}));
}

TEST_F(AttacherTest, RepeatedFirstUseIsAlreadyAttachedAndNotFormatted) {
  AttachAndShow(Call(kBlank));
  const absl::StatusOr<AttachAnswer> answer = Attach(Call(kBlank));
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_TRUE(answer->already_attached);
  EXPECT_FALSE(answer->formatted);
}

// The worker finished after the caller's deadline and sysfs did not show the mapping yet.
TEST_F(AttacherTest, MappingThatSysfsDoesNotShowIsFoundByTheWorker) {
  ASSERT_EQ(Outcome(Attach(Call(kFormatted))), "OK");
  Fail(keys_->on_get, Reason::kKeyManagerUnavailable);
  const absl::StatusOr<AttachAnswer> answer = Attach(Call(kFormatted));
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_TRUE(answer->already_attached);
}

// The mapping went away after sysfs was read.
TEST_F(AttacherTest, MappingThatIsGoneAfterAllIsOpenedWithTheKey) {
  ShowInSysfs(kVolume);
  const absl::StatusOr<AttachAnswer> answer = Attach(Call(kFormatted));
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_FALSE(answer->already_attached);
  EXPECT_EQ(encryptor_.calls, Calls({"attach vol-1", "attach vol-1"}));
}

TEST_F(AttacherTest, MappingThatIsGoneFromABlankDeviceIsAFirstUse) {
  ShowInSysfs(kVolume);
  const absl::StatusOr<AttachAnswer> answer = Attach(Call(kBlank));
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_TRUE(answer->formatted);
  EXPECT_EQ(encryptor_.calls, Calls({"attach vol-1", "format vol-1"}));
  EXPECT_EQ(keys_->calls, Calls({"get key-1", "claim key-1 vol-1", "record key-1 vol-1"}));
}

TEST_F(AttacherTest, MappedVolumeThatNeedsItsKeyAnswersTheKeysError) {
  ShowInSysfs(kVolume);
  for (const Reason reason : KeyManagerReasons()) {
    encryptor_.calls.clear();
    Fail(keys_->on_get, reason);
    EXPECT_EQ(Outcome(Attach(Call(kFormatted))), Name(reason));
    EXPECT_EQ(encryptor_.calls, Calls({"attach vol-1"}));
  }
}

TEST_F(AttacherTest, KeyManagerIsFoundByName) {
  other_keys_->keys[kKey] = {1, 2, 3};
  AttachCall call = Call(kFormatted);
  call.key->key_manager = "other";
  EXPECT_EQ(Outcome(Attach(call)), "OK");
  EXPECT_TRUE(keys_->calls.empty());
  EXPECT_EQ(other_keys_->calls.front(), "get key-1");
  EXPECT_EQ(encryptor_.attach_requests[0].key.key_manager, "other");
}

TEST_F(AttacherTest, WrongKeyIsRejectedAndNothingRecorded) {
  AttachCall call = Call(kFormatted);
  call.key->key_id = kOtherKey;
  EXPECT_EQ(Outcome(Attach(call)), "KEY_REJECTED");
  EXPECT_EQ(keys_->calls, Calls({"get key-2"}));
}

TEST_F(AttacherTest, WorkerThatBreaksItsPromisesIsReported) {
  for (const AttachOutcome outcome : {AttachOutcome::kKeyNeeded, AttachOutcome::kFormatted}) {
    encryptor_.on_attach = [outcome](const AttachRequest&, const Key*) {
      AttachResult result;
      result.outcome = outcome;
      return result;
    };
    EXPECT_EQ(Outcome(Attach(Call(kFormatted))), "WORKER_FAILED");
  }
}

TEST_F(AttacherTest, AdminWithoutKeyGetsTheKeyThatTheHeaderNames) {
  AttachCall call = Call(kFormatted);
  call.key.reset();
  call.caller_is_admin = true;
  const absl::StatusOr<AttachAnswer> answer = Attach(call);
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(encryptor_.calls, Calls({"inspect /dev/formatted", "attach vol-1"}));
  EXPECT_EQ(encryptor_.attach_requests[0].key.key_id, kKey);
  EXPECT_EQ(encryptor_.attach_requests[0].key.key_manager, "local");
  EXPECT_FALSE(encryptor_.attach_requests[0].may_format);
}

TEST_F(AttacherTest, AdminWithoutKeyMustNameItWhenTheHeaderDoesNotTell) {
  AttachCall call = Call(kBlank);
  call.key.reset();
  call.caller_is_admin = true;
  EXPECT_EQ(Outcome(Attach(call)), "KEY_REQUIRED");
  call.device = kFormatted;
  call.volume_id = "vol-2";
  EXPECT_EQ(Outcome(Attach(call)), "KEY_REQUIRED");
  EXPECT_TRUE(keys_->calls.empty());
  call.device = "/dev/absent";
  EXPECT_EQ(Outcome(Attach(call)), "DEVICE_NOT_FOUND");
}

TEST_F(AttacherTest, AdminWithoutKeyRepeatsAnAttachWithoutInspection) {
  AttachAndShow(Call(kFormatted));
  AttachCall call = Call(kFormatted);
  call.key.reset();
  call.caller_is_admin = true;
  const absl::StatusOr<AttachAnswer> answer = Attach(call);
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_TRUE(answer->already_attached);
  EXPECT_EQ(encryptor_.calls, Calls({"attach vol-1"}));
}

TEST_F(AttacherTest, InspectionThatFailsIsAnswered) {
  AttachCall call = Call(kFormatted);
  call.key.reset();
  call.caller_is_admin = true;
  for (const Reason reason : AllReasons()) {
    encryptor_.on_inspect = [reason](const std::string&) { return MakeError(reason, "failed on purpose"); };
    EXPECT_EQ(Outcome(Attach(call)), Name(reason));
    EXPECT_EQ(Outcome(attacher_.Inspect(kFormatted, Soon())), Name(reason));
  }
}

TEST_F(AttacherTest, InspectTellsWhatTheDeviceHolds) {
  const absl::StatusOr<Inspection> inspection = attacher_.Inspect(kBlank, Soon());
  ASSERT_TRUE(inspection.ok()) << inspection.status();
  EXPECT_EQ(inspection->content, Content::kBlank);
  EXPECT_EQ(Outcome(attacher_.Inspect("blank", Soon())), "INVALID_FIELD");
}

TEST_F(AttacherTest, DetachClosesByVolumeAndByDevice) {
  AttachAndShow(Call(kFormatted));
  const absl::StatusOr<DetachResult> by_device =
      attacher_.Detach({.volume_id = "", .device = kFormatted, .deferred = false}, Soon());
  ASSERT_TRUE(by_device.ok()) << by_device.status();
  EXPECT_TRUE(by_device->was_attached);
  EXPECT_EQ(by_device->volume_id, kVolume);
  const absl::StatusOr<DetachResult> by_volume =
      attacher_.Detach({.volume_id = kVolume, .device = "", .deferred = true}, Soon());
  ASSERT_TRUE(by_volume.ok()) << by_volume.status();
  EXPECT_FALSE(by_volume->was_attached);
}

TEST_F(AttacherTest, DetachTakesExactlyOneOfVolumeAndDevice) {
  EXPECT_EQ(Outcome(attacher_.Detach({.volume_id = "", .device = "", .deferred = false}, Soon())), "INVALID_FIELD");
  EXPECT_EQ(Outcome(attacher_.Detach({.volume_id = kVolume, .device = kBlank, .deferred = false}, Soon())),
            "INVALID_FIELD");
  EXPECT_EQ(Outcome(attacher_.Detach({.volume_id = "../x", .device = "", .deferred = false}, Soon())),
            "INVALID_VOLUME_ID");
  EXPECT_EQ(Outcome(attacher_.Detach({.volume_id = "", .device = "x", .deferred = false}, Soon())), "INVALID_FIELD");
  EXPECT_TRUE(encryptor_.calls.empty());
}

TEST_F(AttacherTest, DetachAnswersEveryErrorOfTheEncryptor) {
  for (const Reason reason : AllReasons()) {
    encryptor_.on_detach = [reason](const DetachRequest&) { return MakeError(reason, "failed on purpose"); };
    EXPECT_EQ(Outcome(attacher_.Detach({.volume_id = kVolume, .device = "", .deferred = false}, Soon())), Name(reason));
  }
}

}  // namespace
}  // namespace volcrypt
