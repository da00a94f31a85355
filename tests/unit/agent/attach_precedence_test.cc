// Which of several things wrong is told: request, caller, attachment state, device, header, key, kernel.
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "tests/unit/agent/attacher_fixture.h"

namespace volcrypt {
namespace {

class AttachPrecedenceTest : public AttacherTest {
 protected:
  // The worker is content until it needs the key, and with the key fails as given.
  void FailInWorker(Reason reason, bool needs_key) {
    encryptor_.on_attach = [reason, needs_key](const AttachRequest&, const Key* key) -> absl::StatusOr<AttachResult> {
      if (key != nullptr || !needs_key) return MakeError(reason, "failed on purpose");
      AttachResult result;
      result.outcome = AttachOutcome::kKeyNeeded;
      return result;
    };
  }
};

TEST_F(AttachPrecedenceTest, RequestComesBeforeEverything) {
  Fail(keys_->on_get, Reason::kKeyManagerUnavailable);
  FailInWorker(Reason::kHelperUnavailable, false);
  AttachCall call = Call(kFormatted);
  call.key->key_manager = "none";
  EXPECT_EQ(Outcome(Attach(call)), "UNKNOWN_KEY_MANAGER");
  call.device = "relative";
  EXPECT_EQ(Outcome(Attach(call)), "INVALID_FIELD");
  EXPECT_TRUE(encryptor_.calls.empty());
  EXPECT_TRUE(keys_->calls.empty());
}

TEST_F(AttachPrecedenceTest, EveryErrorOfTheWorkerIsAnsweredAsItIs) {
  for (const Reason reason : AllReasons()) {
    FailInWorker(reason, false);
    EXPECT_EQ(Outcome(Attach(Call(kFormatted))), Name(reason));
  }
}

TEST_F(AttachPrecedenceTest, WhatTheWorkerFindsWithoutAKeyComesBeforeTheKeysError) {
  for (const Reason key_error : {Reason::kKeyNotFound, Reason::kKeyAccessDenied, Reason::kKeyUnfit,
                                 Reason::kKeyManagerUnavailable, Reason::kKeyManagerTimedOut}) {
    Fail(keys_->on_get, key_error);
    for (const Reason reason : AllReasons()) {
      FailInWorker(reason, false);
      EXPECT_EQ(Outcome(Attach(Call(kFormatted))), Name(reason)) << Name(key_error);
    }
    // And without anything wrong before the key, the key's own.
    FailInWorker(Reason::kKernelUnsupported, true);
    EXPECT_EQ(Outcome(Attach(Call(kFormatted))), Name(key_error));
  }
}

TEST_F(AttachPrecedenceTest, CallerAndKeyIdComeBeforeTheDevice) {
  for (const Reason key_error : {Reason::kInvalidKeyId, Reason::kCallerTokenRejected}) {
    Fail(keys_->on_get, key_error);
    FailInWorker(Reason::kDeviceNotFound, false);
    EXPECT_EQ(Outcome(Attach(Call(kFormatted))), Name(key_error));
  }
  EXPECT_TRUE(encryptor_.calls.empty());
}

TEST_F(AttachPrecedenceTest, KeyIdIsCheckedThoughNoKeyIsFetched) {
  AttachAndShow(Call(kFormatted));
  keys_->on_check_key_id = [](const std::string&) { return MakeError(Reason::kInvalidKeyId, "not one of its ids"); };
  EXPECT_EQ(Outcome(Attach(Call(kFormatted))), "INVALID_KEY_ID");
  EXPECT_TRUE(encryptor_.calls.empty());
  EXPECT_TRUE(keys_->calls.empty());
  AttachCall call = Call(kFormatted);
  call.caller_is_admin = true;
  call.key.reset();
  EXPECT_EQ(Outcome(Attach(call)), "OK") << "no id is named where the header's counts";
}

TEST_F(AttachPrecedenceTest, RealisticPairsOfFaults) {
  struct Case {
    std::string what;
    std::string device;
    Reason key_error;
    std::string expected;
  };
  for (const Case& c : std::vector<Case>{
           {"no device, no key", "/dev/absent", Reason::kKeyNotFound, "DEVICE_NOT_FOUND"},
           {"blank and read-only, key manager away", kBlank, Reason::kKeyManagerUnavailable, "VOLUME_NOT_FORMATTED"},
           {"all well, key manager away", kFormatted, Reason::kKeyManagerUnavailable, "KEY_MANAGER_UNAVAILABLE"},
           {"all well, key denied", kFormatted, Reason::kKeyAccessDenied, "KEY_ACCESS_DENIED"},
       }) {
    Fail(keys_->on_get, c.key_error);
    AttachCall call = Call(c.device);
    call.read_only = true;
    EXPECT_EQ(Outcome(Attach(call)), c.expected) << c.what;
  }
}

TEST_F(AttachPrecedenceTest, AttachedDifferentlyComesBeforeTheKey) {
  AttachAndShow(Call(kFormatted));
  Fail(keys_->on_get, Reason::kKeyNotFound);
  EXPECT_EQ(Outcome(Attach(Call(kBlank))), "ATTACHED_DIFFERENTLY");
  EXPECT_TRUE(keys_->calls.empty());
}

// A key manager that took the caller's whole time leaves none for the device.
TEST_F(AttachPrecedenceTest, PastTheDeadlineTheKeysErrorIsAll) {
  Fail(keys_->on_get, Reason::kKeyManagerTimedOut);
  FailInWorker(Reason::kDeviceTimedOut, false);
  EXPECT_EQ(Outcome(attacher_.Attach(Call(kFormatted), absl::InfinitePast())), "KEY_MANAGER_TIMED_OUT");
  EXPECT_TRUE(encryptor_.calls.empty());
}

}  // namespace
}  // namespace volcrypt
