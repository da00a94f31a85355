// Which key manager the attacher asks, on whose behalf, and what it does without records.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "agent/keys/key_id.h"
#include "tests/unit/agent/attacher_fixture.h"
#include "tests/unit/agent/caller_tokens.h"

namespace volcrypt {
namespace {

class AttachKeyManagerTest : public AttacherTest {
 protected:
  AttachKeyManagerTest() { fixed_keys_->keys[kFixedKeyId] = {7, 7, 7}; }

  static AttachCall CallWithFixedKey(const std::string& key_manager = "") {
    AttachCall call = Call(kBlank);
    call.key = KeyReference{.key_manager = key_manager, .key_id = kFixedKeyId};
    return call;
  }
  static void HoldNoRecords(FakeKeyManager& keys) {
    const auto refuse = [](const std::string&) { return NotHeld("it has no place for records"); };
    keys.on_claim = refuse;
    keys.on_record = refuse;
    keys.on_drop = refuse;
  }
  static void ExpectAll(const std::vector<std::string>& callers, const std::string& expected) {
    EXPECT_FALSE(callers.empty());
    EXPECT_TRUE(std::ranges::all_of(callers, [&](const std::string& caller) { return caller == expected; }))
        << testing::PrintToString(callers);
  }
};

TEST_F(AttachKeyManagerTest, FixedKeysIdIsTheFixedKeyManagersWhateverTheDefaultIs) {
  ASSERT_EQ(Outcome(Attach(CallWithFixedKey())), "OK");
  EXPECT_TRUE(keys_->calls.empty());
  EXPECT_EQ(encryptor_.attach_requests.back().key.key_manager, "fixed");
  ShowInSysfs(kVolume);
  const KeyReference key = {.key_manager = "", .key_id = kFixedKeyId};
  EXPECT_EQ(Outcome(attacher_.Extend({.volume_id = kVolume, .key = key, .caller_is_admin = false}, Soon())), "OK");
  EXPECT_EQ(Outcome(attacher_.Detach({.volume_id = kVolume, .device = "", .deferred = false}, Soon())), "OK");
  EXPECT_EQ(Outcome(attacher_.Forget(kVolume, key, Soon())), "OK");
  EXPECT_TRUE(keys_->calls.empty());
  EXPECT_EQ(fixed_keys_->calls.back(), std::string("drop ") + kFixedKeyId + " vol-1");
}

TEST_F(AttachKeyManagerTest, FixedKeysIdInAUrlIsTheFixedKeyManagersToo) {
  AttachCall call = CallWithFixedKey();
  call.key->key_id = std::string("https://barbican/v1/secrets/") + kFixedKeyId;
  EXPECT_EQ(Outcome(Attach(call)), "OK");
  EXPECT_TRUE(keys_->calls.empty());
}

TEST_F(AttachKeyManagerTest, NamedKeyManagerIsAskedForTheFixedKeysId) {
  EXPECT_EQ(Outcome(Attach(CallWithFixedKey("other"))), "KEY_NOT_FOUND");
  EXPECT_TRUE(fixed_keys_->calls.empty());
}

TEST_F(AttachKeyManagerTest, FirstUseGoesOnWithoutRecordsAndWarns) {
  HoldNoRecords(*fixed_keys_);
  const absl::StatusOr<AttachAnswer> answer = Attach(CallWithFixedKey());
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_TRUE(answer->formatted);
  EXPECT_EQ(answer->warnings.size(), 1U);
}

TEST_F(AttachKeyManagerTest, FailedFirstUseWithoutRecordsIsNoSecondError) {
  HoldNoRecords(*fixed_keys_);
  FailFormat(Reason::kDeviceTooSmall);
  const absl::StatusOr<AttachAnswer> answer = Attach(CallWithFixedKey());
  EXPECT_EQ(Outcome(answer), "DEVICE_TOO_SMALL");
  EXPECT_EQ(answer.status().message(), "failed on purpose");
}

TEST_F(AttachKeyManagerTest, ForgettingWithoutRecordsIsDone) {
  HoldNoRecords(*fixed_keys_);
  const KeyReference key = {.key_manager = "", .key_id = kFixedKeyId};
  EXPECT_EQ(Outcome(attacher_.Forget(kVolume, key, Soon())), "OK");
}

TEST_F(AttachKeyManagerTest, EveryCallIsMadeOnBehalfOfTheCallerWithTokens) {
  const CallerTokens tokens = MadeUpTokens("user", "service");
  const KeyCall call(Soon(), &tokens);
  ASSERT_EQ(Outcome(attacher_.Attach(Call(kBlank), call)), "OK");
  ShowInSysfs(kVolume);
  ASSERT_EQ(Outcome(attacher_.Attach(Call(kBlank), call)), "OK");
  const KeyReference key = {.key_manager = "", .key_id = kKey};
  EXPECT_EQ(Outcome(attacher_.Extend({.volume_id = kVolume, .key = key, .caller_is_admin = false}, call)), "OK");
  EXPECT_EQ(Outcome(attacher_.Detach({.volume_id = kVolume, .device = "", .deferred = false}, Soon())), "OK");
  ASSERT_EQ(Outcome(attacher_.Attach(Call(kFormatted, "vol-2"), call)), "OK");
  FailFormat(Reason::kDeviceTooSmall);
  encryptor_.devices["/dev/blank2"] = {};
  EXPECT_EQ(Outcome(attacher_.Attach(Call("/dev/blank2", "vol-3"), call)), "DEVICE_TOO_SMALL");
  EXPECT_EQ(Outcome(attacher_.Forget(kVolume, key, call)), "OK");

  std::vector<std::string> verbs;
  for (const std::string& made : keys_->calls) verbs.push_back(made.substr(0, made.find(' ')));
  for (const char* verb : {"get", "metadata", "claim", "record", "drop"}) {
    EXPECT_NE(std::ranges::find(verbs, verb), verbs.end()) << verb;
  }
  ExpectAll(keys_->callers, "user/service");
}

TEST_F(AttachKeyManagerTest, WithoutTokensEveryCallIsTheAgentsOwn) {
  ASSERT_EQ(Outcome(Attach(Call(kBlank))), "OK");
  ExpectAll(keys_->callers, "agent");
}

}  // namespace
}  // namespace volcrypt
