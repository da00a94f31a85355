// Extend, Get, List and Forget.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/agent/attacher_fixture.h"

namespace volcrypt {
namespace {

class AttacherRestTest : public AttacherTest {
 protected:
  // Attached, known to the kernel and to the fake.
  void AttachAs(Format format) {
    encryptor_.devices[kFormatted].format = format;
    ASSERT_EQ(Outcome(Attach(Call(kFormatted))), "OK");
    ShowInSysfs(kVolume, format);
    encryptor_.calls.clear();
    keys_->calls.clear();
  }

  static ExtendCall Extension(std::optional<KeyReference> key = KeyReference{.key_manager = "", .key_id = kKey}) {
    ExtendCall call;
    call.volume_id = kVolume;
    call.key = std::move(key);
    return call;
  }
};

TEST_F(AttacherRestTest, ExtendOfLuks2FetchesTheKey) {
  AttachAs(Format::kLuks2);
  const absl::StatusOr<ExtendResult> result = attacher_.Extend(Extension(), Soon());
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->mapping.volume_id, kVolume);
  EXPECT_EQ(keys_->calls, Calls({"get key-1"}));
}

TEST_F(AttacherRestTest, ExtendOfLuks1NeedsNoKey) {
  AttachAs(Format::kLuks1);
  EXPECT_EQ(Outcome(attacher_.Extend(Extension(), Soon())), "OK");
  EXPECT_EQ(Outcome(attacher_.Extend(Extension(std::nullopt), Soon())), "OK");
  EXPECT_TRUE(keys_->calls.empty());
}

TEST_F(AttacherRestTest, ExtendTellsTheWorkerWhichCiphersAreAllowed) {
  AttachAs(Format::kLuks2);
  std::vector<std::string> allowed;
  encryptor_.on_extend = [&allowed](const ExtendRequest& request, const Key*) {
    allowed = request.allowed_ciphers;
    return ExtendResult{};
  };
  EXPECT_EQ(Outcome(attacher_.Extend(Extension(), Soon())), "OK");
  EXPECT_EQ(allowed, config_.allowed_ciphers);
}

TEST_F(AttacherRestTest, ExtendOfWhatIsNotAttachedIsRefusedBeforeAnyKeyIsAskedFor) {
  EXPECT_EQ(Outcome(attacher_.Extend(Extension(), Soon())), "NOT_ATTACHED");
  EXPECT_EQ(Outcome(attacher_.Extend(Extension(std::nullopt), Soon())), "NOT_ATTACHED");
  EXPECT_TRUE(keys_->calls.empty());
  EXPECT_TRUE(encryptor_.calls.empty());
}

TEST_F(AttacherRestTest, ExtendOfLuks2WithoutKeyIsForAdminsWhoseVolumeIsKnown) {
  AttachAs(Format::kLuks2);
  EXPECT_EQ(Outcome(attacher_.Extend(Extension(std::nullopt), Soon())), "KEY_REQUIRED");
  ExtendCall call = Extension(std::nullopt);
  call.caller_is_admin = true;
  EXPECT_EQ(Outcome(attacher_.Extend(call, Soon())), "OK");
  EXPECT_EQ(encryptor_.calls, Calls({"query vol-1", "extend vol-1"}));
  encryptor_.mapped[kVolume].key.reset();
  EXPECT_EQ(Outcome(attacher_.Extend(call, Soon())), "KEY_REQUIRED");
  encryptor_.mapped[kVolume].key = KeyReference{.key_manager = "gone", .key_id = kKey};
  EXPECT_EQ(Outcome(attacher_.Extend(call, Soon())), "UNKNOWN_KEY_MANAGER");
  for (const Reason reason : AllReasons()) {
    encryptor_.on_query = [reason](const std::string&) { return MakeError(reason, "failed on purpose"); };
    EXPECT_EQ(Outcome(attacher_.Extend(call, Soon())), Name(reason));
  }
}

TEST_F(AttacherRestTest, ExtendChecksItsFieldsFirst) {
  ExtendCall call = Extension();
  call.volume_id = "../x";
  EXPECT_EQ(Outcome(attacher_.Extend(call, Soon())), "INVALID_VOLUME_ID");
  EXPECT_EQ(Outcome(attacher_.Extend(Extension(KeyReference{.key_manager = "", .key_id = "a b"}), Soon())),
            "INVALID_KEY_ID");
  EXPECT_EQ(Outcome(attacher_.Extend(Extension(KeyReference{.key_manager = "none", .key_id = "a"}), Soon())),
            "UNKNOWN_KEY_MANAGER");
}

TEST_F(AttacherRestTest, ErrorsOfTheVolumeComeBeforeErrorsOfItsKey) {
  AttachAs(Format::kLuks2);
  for (const Reason reason : KeyManagerReasons()) {
    Fail(keys_->on_get, reason);
    encryptor_.on_extend = nullptr;
    EXPECT_EQ(Outcome(attacher_.Extend(Extension(), Soon())), Name(reason));
    const bool about_the_caller = reason == Reason::kInvalidKeyId || reason == Reason::kCallerTokenRejected;
    encryptor_.on_extend = [](const ExtendRequest&, const Key* key) {
      EXPECT_EQ(key, nullptr);
      return MakeError(Reason::kDeviceTooSmall, "failed on purpose");
    };
    EXPECT_EQ(Outcome(attacher_.Extend(Extension(), Soon())), about_the_caller ? Name(reason) : "DEVICE_TOO_SMALL");
  }
}

TEST_F(AttacherRestTest, ExtendAnswersEveryErrorOfTheEncryptor) {
  AttachAs(Format::kLuks2);
  for (const Reason reason : AllReasons()) {
    encryptor_.on_extend = [reason](const ExtendRequest&, const Key*) {
      return MakeError(reason, "failed on purpose");
    };
    EXPECT_EQ(Outcome(attacher_.Extend(Extension(), Soon())), Name(reason));
  }
}

TEST_F(AttacherRestTest, GetAsksTheHelper) {
  AttachAs(Format::kLuks2);
  encryptor_.mapped[kVolume].open_count = 7;
  const absl::StatusOr<Mapping> mapping = attacher_.Get(kVolume, Soon());
  ASSERT_TRUE(mapping.ok()) << mapping.status();
  EXPECT_EQ(mapping->open_count, 7U);
  EXPECT_EQ(Outcome(attacher_.Get("vol-2", Soon())), "NOT_ATTACHED");
  EXPECT_EQ(Outcome(attacher_.Get("../x", Soon())), "INVALID_VOLUME_ID");
}

TEST_F(AttacherRestTest, GetFallsBackOnSysfsOnlyWhenTheHelperDidNotAnswer) {
  ShowInSysfs(kVolume);
  for (const Reason reason : AllReasons()) {
    encryptor_.on_query = [reason](const std::string&) { return MakeError(reason, "failed on purpose"); };
    const bool falls_back = reason == Reason::kHelperUnavailable || reason == Reason::kDeviceTimedOut ||
                            reason == Reason::kTooManyOperations;
    EXPECT_EQ(Outcome(attacher_.Get(kVolume, Soon())), falls_back ? "OK" : Name(reason));
    EXPECT_EQ(Outcome(attacher_.Get("vol-2", Soon())), Name(reason));
  }
}

TEST_F(AttacherRestTest, ListNeedsNoHelper) {
  ShowInSysfs("vol-2");
  ShowInSysfs("vol-1");
  const std::vector<Attachment> mappings = attacher_.List(Soon()).attachments;
  ASSERT_EQ(mappings.size(), 2U);
  EXPECT_EQ(mappings[0].volume_id, "vol-1");
  EXPECT_EQ(mappings[1].volume_id, "vol-2");
  EXPECT_TRUE(encryptor_.calls.empty());
}

TEST_F(AttacherRestTest, ForgetDropsTheHostsRecordsAndTheNamedKeysRecord) {
  PutRecord(State::kFormatted, kOtherHost, kUuid);
  EXPECT_EQ(Outcome(attacher_.Forget(kVolume, std::nullopt, Soon())), "OK");
  EXPECT_TRUE(keys_->calls.empty());
  EXPECT_EQ(Outcome(attacher_.Forget(kVolume, KeyReference{.key_manager = "", .key_id = kKey}, Soon())), "OK");
  EXPECT_EQ(RecordOf(), "none");
  EXPECT_EQ(encryptor_.calls, Calls({"forget vol-1", "forget vol-1"}));
}

TEST_F(AttacherRestTest, ForgottenVolumeMayBeFormattedAgain) {
  PutRecord(State::kFormatted, kOtherHost, kUuid);
  ASSERT_EQ(Outcome(Attach(Call(kBlank))), "VOLUME_HEADER_LOST");
  ASSERT_EQ(Outcome(attacher_.Forget(kVolume, KeyReference{.key_manager = "", .key_id = kKey}, Soon())), "OK");
  EXPECT_EQ(Outcome(Attach(Call(kBlank))), "OK");
}

TEST_F(AttacherRestTest, ForgetKeepsTheKeysRecordWhenTheHelperRefuses) {
  PutRecord(State::kFormatted, kHost, kUuid);
  for (const Reason reason : AllReasons()) {
    encryptor_.on_forget = [reason](const std::string&) { return MakeError(reason, "failed on purpose"); };
    EXPECT_EQ(Outcome(attacher_.Forget(kVolume, KeyReference{.key_manager = "", .key_id = kKey}, Soon())),
              Name(reason));
    EXPECT_NE(RecordOf(), "none");
  }
}

TEST_F(AttacherRestTest, ForgetAnswersEveryErrorOfTheKeyManager) {
  for (const Reason reason : KeyManagerReasons()) {
    Fail(keys_->on_drop, reason);
    EXPECT_EQ(Outcome(attacher_.Forget(kVolume, KeyReference{.key_manager = "", .key_id = kKey}, Soon())),
              Name(reason));
  }
}

TEST_F(AttacherRestTest, ForgetChecksItsFieldsFirst) {
  EXPECT_EQ(Outcome(attacher_.Forget("../x", std::nullopt, Soon())), "INVALID_VOLUME_ID");
  EXPECT_EQ(Outcome(attacher_.Forget(kVolume, KeyReference{.key_manager = "none", .key_id = "a"}, Soon())),
            "UNKNOWN_KEY_MANAGER");
  EXPECT_EQ(Outcome(attacher_.Forget(kVolume, KeyReference{.key_manager = "", .key_id = "a b"}, Soon())),
            "INVALID_KEY_ID");
  keys_->on_check_key_id = [](const std::string&) {
    return MakeError(Reason::kInvalidKeyId, "no key here can have it");
  };
  EXPECT_EQ(Outcome(attacher_.Forget(kVolume, KeyReference{.key_manager = "", .key_id = kKey}, Soon())),
            "INVALID_KEY_ID");
  EXPECT_TRUE(encryptor_.calls.empty());
}

TEST_F(AttacherRestTest, ForgetsNothingThatMayNotBeForgotten) {
  const auto forbid = [] { return MakeError(Reason::kStateNotWritable, "not written"); };
  EXPECT_EQ(Outcome(attacher_.Forget(kVolume, KeyReference{.key_manager = "", .key_id = kKey}, Soon(), forbid)),
            "STATE_NOT_WRITABLE");
  EXPECT_TRUE(encryptor_.calls.empty());
  EXPECT_TRUE(keys_->calls.empty());
}

}  // namespace
}  // namespace volcrypt
