// Libvirt secrets beside mappings, and volumes that QEMU decrypts.
#include <gtest/gtest.h>

#include <string>

#include "tests/fakes/fake_volume_secrets.h"
#include "tests/unit/agent/attacher_fixture.h"

namespace volcrypt {
namespace {

class AttachSecretTest : public AttacherTest {
 protected:
  static AttachCall WithSecret(const std::string& device) {
    AttachCall call = Call(device);
    call.register_libvirt_secret = true;
    return call;
  }
  static AttachCall ForQemu(const std::string& device) {
    AttachCall call = Call(device);
    call.mode = AttachMode::kLibvirtSecret;
    return call;
  }
  absl::StatusOr<AttachAnswer> Do(const AttachCall& call) { return with_secrets_.Attach(call, Soon()); }
  std::string Do(const DetachRequest& request, bool keep = false) {
    const absl::StatusOr<DetachAnswer> answer = with_secrets_.Detach(request, Soon(), keep);
    if (!answer.ok()) return Outcome(answer);
    return answer->was_attached ? "was attached" : "was not";
  }
  static DetachRequest ByVolume() { return {.volume_id = kVolume, .device = ""}; }

  FakeVolumeSecrets secrets_;
  Attacher with_secrets_{encryptor_, key_managers_, mappings_, slots_, config_, kHost, &secrets_};
};

TEST_F(AttachSecretTest, WithoutLibvirtNothingIsAskedOfIt) {
  EXPECT_EQ(Outcome(Attach(WithSecret(kFormatted))), "INVALID_FIELD");
  EXPECT_EQ(Outcome(Attach(ForQemu(kFormatted))), "INVALID_FIELD");
}

TEST_F(AttachSecretTest, SecretBesideAMappingHasThePassphraseOfTheVolume) {
  const auto answer = Do(WithSecret(kFormatted));
  ASSERT_EQ(Outcome(answer), "OK");
  EXPECT_EQ(answer->libvirt_secret_uuid, "uuid-of-vol-1");
  EXPECT_EQ(secrets_.values[kVolume], "010203");
  EXPECT_TRUE(encryptor_.mapped.contains(kVolume));
}

TEST_F(AttachSecretTest, MappingGoesWithTheSecretThatCannotBeRegistered) {
  encryptor_.on_attach = [this](const AttachRequest& request, const Key* key) {
    secrets_.is_away = true;
    return encryptor_.AttachAsUsual(request, key);
  };
  EXPECT_EQ(Outcome(Do(WithSecret(kFormatted))), "LIBVIRT_UNAVAILABLE");
  EXPECT_TRUE(encryptor_.mapped.empty());
}

TEST_F(AttachSecretTest, NothingElseStopsWhileLibvirtIsAway) {
  secrets_.is_away = true;
  EXPECT_EQ(Outcome(Do(Call(kFormatted))), "OK");
  ShowInSysfs(kVolume);
  EXPECT_EQ(Outcome(with_secrets_.Get(kVolume, Soon())), "OK");
  const AttachmentList list = with_secrets_.List(Soon());
  EXPECT_EQ(list.attachments.size(), 1U);
  EXPECT_EQ(list.unreachable, Calls({"libvirt"}));
  EXPECT_EQ(Do(ByVolume()), "was attached");
  EXPECT_EQ(Outcome(Do(WithSecret(kFormatted))), "LIBVIRT_UNAVAILABLE");
  EXPECT_TRUE(encryptor_.mapped.empty());
}

TEST_F(AttachSecretTest, RepeatWithASecretThatIsThereNeedsNoKeyManager) {
  ASSERT_EQ(Outcome(Do(WithSecret(kFormatted))), "OK");
  ShowInSysfs(kVolume);
  Fail(keys_->on_get, Reason::kKeyManagerUnavailable);
  const auto again = Do(WithSecret(kFormatted));
  ASSERT_EQ(Outcome(again), "OK");
  EXPECT_TRUE(again->already_attached);
  EXPECT_EQ(again->libvirt_secret_uuid, "uuid-of-vol-1");
}

TEST_F(AttachSecretTest, LostSecretIsBrokenAndHealedByTheSameAttachWithTheRightKeyAlone) {
  ASSERT_EQ(Outcome(Do(WithSecret(kFormatted))), "OK");
  ShowInSysfs(kVolume);
  secrets_.secrets.clear();
  EXPECT_EQ(with_secrets_.List(Soon()).attachments.at(0).state, MappingState::kBroken);
  AttachCall wrong = WithSecret(kFormatted);
  wrong.key->key_id = kOtherKey;
  EXPECT_EQ(Outcome(Do(wrong)), "KEY_REJECTED");
  EXPECT_TRUE(secrets_.secrets.empty());
  const auto healed = Do(WithSecret(kFormatted));
  ASSERT_EQ(Outcome(healed), "OK");
  EXPECT_TRUE(healed->already_attached);
  EXPECT_EQ(with_secrets_.List(Soon()).attachments.at(0).state, MappingState::kActive);
}

TEST_F(AttachSecretTest, DetachRemovesTheSecretUnlessItIsKept) {
  ASSERT_EQ(Outcome(Do(WithSecret(kFormatted))), "OK");
  EXPECT_EQ(Do(ByVolume(), /*keep=*/true), "was attached");
  EXPECT_TRUE(secrets_.secrets.contains(kVolume));
  EXPECT_EQ(Do(ByVolume()), "was not");
  EXPECT_TRUE(secrets_.secrets.empty());
  EXPECT_EQ(Do(ByVolume()), "was not");
}

TEST_F(AttachSecretTest, VolumeForQemuIsFormattedAsLuks1UnderTheFirstUseRuleAndLeftUnmapped) {
  const auto answer = Do(ForQemu(kBlank));
  ASSERT_EQ(Outcome(answer), "OK");
  EXPECT_TRUE(answer->formatted);
  EXPECT_EQ(encryptor_.devices[kBlank].format, Format::kLuks1);
  EXPECT_TRUE(encryptor_.mapped.empty());
  EXPECT_EQ(RecordOf().substr(0, 9), "formatted");
  EXPECT_EQ(secrets_.values[kVolume], "010203");
  const auto got = with_secrets_.Get(kVolume, Soon());
  ASSERT_EQ(Outcome(got), "OK");
  EXPECT_EQ(got->mode, AttachMode::kLibvirtSecret);
  EXPECT_EQ(got->size_bytes, uint64_t{62} << 20);
  EXPECT_EQ(with_secrets_.List(Soon()).attachments.size(), 1U);
  EXPECT_EQ(Do(ByVolume()), "was attached");
  EXPECT_EQ(Outcome(with_secrets_.Get(kVolume, Soon())), "NOT_ATTACHED");
}

TEST_F(AttachSecretTest, AttachedVolumeForQemuIsNeverFormattedAgain) {
  ASSERT_EQ(Outcome(Do(ForQemu(kFormatted))), "OK");
  EXPECT_EQ(Outcome(Do(ForQemu(kBlank))), "VOLUME_NOT_FORMATTED");
  EXPECT_TRUE(encryptor_.devices[kBlank].blank);
  EXPECT_TRUE(Do(ForQemu(kFormatted))->already_attached);
}

TEST_F(AttachSecretTest, OneVolumeIsNotAttachedInBothModes) {
  ASSERT_EQ(Outcome(Do(ForQemu(kFormatted))), "OK");
  EXPECT_EQ(Outcome(Do(Call(kFormatted))), "ATTACHED_DIFFERENTLY");
  EXPECT_EQ(Outcome(with_secrets_.Forget(kVolume, std::nullopt, Soon())), "DEVICE_IN_USE");
  EXPECT_EQ(Do(ByVolume()), "was attached");
  ASSERT_EQ(Outcome(Do(Call(kFormatted))), "OK");
  EXPECT_EQ(Outcome(Do(ForQemu(kFormatted))), "ATTACHED_DIFFERENTLY");
}

TEST_F(AttachSecretTest, Luks2ForQemuIsRefused) {
  AttachCall call = ForQemu(kBlank);
  call.encryption.format = Format::kLuks2;
  EXPECT_EQ(Outcome(Do(call)), "UNSUPPORTED_ENCRYPTION");
  EXPECT_TRUE(encryptor_.calls.empty());
}

TEST_F(AttachSecretTest, WithoutADeviceThereIsTheSecretAlone) {
  ASSERT_EQ(Outcome(Do(ForQemu(""))), "OK");
  EXPECT_TRUE(encryptor_.calls.empty());
  EXPECT_EQ(secrets_.values[kVolume], "010203");
  EXPECT_TRUE(Do(ForQemu(""))->already_attached);
  EXPECT_EQ(Outcome(Do(ForQemu(kFormatted))), "ATTACHED_DIFFERENTLY");
  EXPECT_EQ(Outcome(Do(Call(""))), "INVALID_FIELD");
}

}  // namespace
}  // namespace volcrypt
