// Libvirt secrets beside mappings, and volumes that QEMU decrypts.
#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "tests/fakes/fake_volume_secrets.h"
#include "tests/unit/agent/attacher_fixture.h"
#include "tests/unit/agent/temp_directory.h"

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
  absl::StatusOr<AttachAnswer> Do(const AttachCall& call) { return with_secrets_->Attach(call, Soon()); }
  std::string Do(const DetachRequest& request, bool keep = false) {
    const absl::StatusOr<DetachAnswer> answer = with_secrets_->Detach(request, Soon(), keep);
    if (!answer.ok()) return Outcome(answer);
    return answer->was_attached ? "was attached" : "was not";
  }
  static DetachRequest ByDevice(const std::string& device) { return {.volume_id = "", .device = device}; }
  static DetachRequest ByVolume() { return {.volume_id = kVolume, .device = ""}; }

  // The agent anew, which remembers nothing.
  void Restart() {
    with_secrets_.emplace(encryptor_, key_managers_, mappings_, slots_, config_, kHost, &secrets_,
                          SecretRecords(directory_.Path("secrets"), "boot-1"));
  }
  void SetUp() override {
    AttacherTest::SetUp();
    Restart();
  }

  TempDirectory directory_;
  FakeVolumeSecrets secrets_;
  std::optional<Attacher> with_secrets_;
};

TEST_F(AttachSecretTest, WithoutLibvirtNothingIsAskedOfIt) {
  EXPECT_EQ(Outcome(Attach(WithSecret(kFormatted))), "INVALID_FIELD");
  EXPECT_EQ(Outcome(Attach(ForQemu(kFormatted))), "INVALID_FIELD");
}

TEST_F(AttachSecretTest, SecretBesideAMappingHasThePassphraseOfTheVolume) {
  const auto answer = Do(WithSecret(kFormatted));
  ASSERT_EQ(Outcome(answer), "OK");
  EXPECT_EQ(answer->libvirt_secret_uuid, "uuid-1-of-vol-1");
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
  EXPECT_EQ(Outcome(with_secrets_->Get(kVolume, Soon())), "OK");
  const AttachmentList list = with_secrets_->List(Soon());
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
  EXPECT_EQ(again->libvirt_secret_uuid, "uuid-1-of-vol-1");
}

TEST_F(AttachSecretTest, LostSecretIsBrokenAndHealedByTheSameAttachWithTheRightKeyAlone) {
  ASSERT_EQ(Outcome(Do(WithSecret(kFormatted))), "OK");
  ShowInSysfs(kVolume);
  secrets_.secrets.clear();
  Restart();
  EXPECT_EQ(with_secrets_->List(Soon()).attachments.at(0).state, MappingState::kBroken);
  AttachCall wrong = WithSecret(kFormatted);
  wrong.key->key_id = kOtherKey;
  EXPECT_EQ(Outcome(Do(wrong)), "KEY_REJECTED");
  EXPECT_TRUE(secrets_.secrets.empty());
  const auto healed = Do(WithSecret(kFormatted));
  ASSERT_EQ(Outcome(healed), "OK");
  EXPECT_TRUE(healed->already_attached);
  EXPECT_EQ(healed->libvirt_secret_uuid, "uuid-1-of-vol-1");
  EXPECT_EQ(with_secrets_->List(Soon()).attachments.at(0).state, MappingState::kActive);
}

TEST_F(AttachSecretTest, LostSecretOfWhatQemuDecryptsIsBrokenAndHealedUnderItsUuid) {
  ASSERT_EQ(Outcome(Do(ForQemu(kFormatted))), "OK");
  secrets_.secrets.clear();
  Restart();
  const AttachmentList list = with_secrets_->List(Soon());
  ASSERT_EQ(list.attachments.size(), 1U);
  EXPECT_EQ(list.attachments[0].state, MappingState::kBroken);
  EXPECT_EQ(list.attachments[0].mode, AttachMode::kLibvirtSecret);
  EXPECT_EQ(with_secrets_->Get(kVolume, Soon())->state, MappingState::kBroken);
  EXPECT_EQ(Outcome(with_secrets_->Forget(kVolume, std::nullopt, Soon())), "DEVICE_IN_USE");
  EXPECT_EQ(Outcome(Do(Call(kFormatted))), "ATTACHED_DIFFERENTLY");
  EXPECT_EQ(Outcome(Do(ForQemu(kBlank))), "VOLUME_NOT_FORMATTED");
  const auto healed = Do(ForQemu(kFormatted));
  ASSERT_EQ(Outcome(healed), "OK");
  EXPECT_TRUE(healed->already_attached);
  EXPECT_EQ(healed->libvirt_secret_uuid, "uuid-1-of-vol-1");
  EXPECT_EQ(secrets_.values[kVolume], "010203");
  EXPECT_EQ(with_secrets_->List(Soon()).attachments.at(0).state, MappingState::kActive);
}

TEST_F(AttachSecretTest, LostSecretIsNoHindranceToTheDetach) {
  ASSERT_EQ(Outcome(Do(ForQemu(kFormatted))), "OK");
  secrets_.secrets.clear();
  EXPECT_EQ(Do(ByVolume()), "was attached");
  EXPECT_EQ(Outcome(with_secrets_->Get(kVolume, Soon())), "NOT_ATTACHED");
  EXPECT_TRUE(with_secrets_->List(Soon()).attachments.empty());
}

TEST_F(AttachSecretTest, AfterTheHostHasBootedNothingOfBeforeIsMissing) {
  ASSERT_EQ(Outcome(Do(ForQemu(kFormatted))), "OK");
  secrets_.secrets.clear();
  with_secrets_.emplace(encryptor_, key_managers_, mappings_, slots_, config_, kHost, &secrets_,
                        SecretRecords(directory_.Path("secrets"), "boot-2"));
  EXPECT_TRUE(with_secrets_->List(Soon()).attachments.empty());
  EXPECT_EQ(Outcome(Do(Call(kFormatted))), "OK");
}

TEST_F(AttachSecretTest, RepeatOfWhatQemuDecryptsNeedsNoKeyManager) {
  ASSERT_EQ(Outcome(Do(ForQemu(kFormatted))), "OK");
  Fail(keys_->on_get, Reason::kKeyManagerUnavailable);
  const auto again = Do(ForQemu(kFormatted));
  ASSERT_EQ(Outcome(again), "OK");
  EXPECT_TRUE(again->already_attached);
  EXPECT_EQ(again->libvirt_secret_uuid, "uuid-1-of-vol-1");
  AttachCall read_only = ForQemu(kFormatted);
  read_only.read_only = true;
  EXPECT_EQ(Outcome(Do(read_only)), "ATTACHED_DIFFERENTLY");
  encryptor_.devices[kFormatted].luks_uuid = "00000000-0000-4000-8000-000000000000";
  EXPECT_EQ(Outcome(Do(ForQemu(kFormatted))), "ATTACHED_DIFFERENTLY");
}

TEST_F(AttachSecretTest, NoOtherVolumeIsAttachedToADeviceThatQemuDecrypts) {
  ASSERT_EQ(Outcome(Do(ForQemu(kFormatted))), "OK");
  for (AttachCall call : {Call(kFormatted), ForQemu(kFormatted)}) {
    call.volume_id = "vol-2";
    EXPECT_EQ(Outcome(Do(call)), "DEVICE_IN_USE");
  }
  EXPECT_EQ(Do(ByVolume()), "was attached");
  AttachCall free = Call(kFormatted);
  free.volume_id = "vol-2";
  EXPECT_EQ(Outcome(Do(free)), "OK");
}

TEST_F(AttachSecretTest, WhatQemuDecryptsIsDetachedByItsDevice) {
  ASSERT_EQ(Outcome(Do(ForQemu(kFormatted))), "OK");
  EXPECT_EQ(Do(ByDevice(kBlank)), "was not");
  EXPECT_EQ(Do(ByDevice(kFormatted)), "was attached");
  EXPECT_TRUE(secrets_.secrets.empty());
  ASSERT_EQ(Outcome(Do(ForQemu(kFormatted))), "OK");
  encryptor_.on_detach = [](const DetachRequest&) { return MakeError(Reason::kDeviceNotFound, "unplugged"); };
  EXPECT_EQ(Do(ByDevice(kFormatted)), "was attached");
  EXPECT_EQ(Do(ByDevice(kFormatted)), "DEVICE_NOT_FOUND");
}

TEST_F(AttachSecretTest, DetachByAnotherNameOfTheDeviceFindsTheVolume) {
  const std::string file = directory_.Path("disk");
  const std::string link = directory_.Path("link");
  directory_.Write("disk", "");
  ASSERT_EQ(symlink(file.c_str(), link.c_str()), 0);
  encryptor_.devices[file] = encryptor_.devices[kFormatted];
  ASSERT_EQ(Outcome(Do(ForQemu(file))), "OK");
  EXPECT_EQ(Do(ByDevice(link)), "was attached");
}

TEST_F(AttachSecretTest, SecretLeftBehindWhileLibvirtWasAwayIsRemovedLater) {
  ASSERT_EQ(Outcome(Do(WithSecret(kFormatted))), "OK");
  secrets_.is_away = true;
  const absl::StatusOr<DetachAnswer> detached = with_secrets_->Detach(ByVolume(), Soon());
  ASSERT_EQ(Outcome(detached), "OK");
  EXPECT_TRUE(detached->was_attached);
  EXPECT_EQ(detached->warnings.size(), 1U);
  EXPECT_EQ(Outcome(with_secrets_->RemoveLeftSecrets(Soon())), "LIBVIRT_UNAVAILABLE");
  Restart();
  secrets_.is_away = false;
  EXPECT_TRUE(with_secrets_->RemoveLeftSecrets(Soon()).ok());
  EXPECT_TRUE(secrets_.secrets.empty());
  EXPECT_TRUE(with_secrets_->RemoveLeftSecrets(Soon()).ok());
  EXPECT_EQ(secrets_.calls.back(), "remove vol-1");
}

TEST_F(AttachSecretTest, SecretLeftBehindIsKeptByTheNextAttachThatWantsIt) {
  ASSERT_EQ(Outcome(Do(WithSecret(kFormatted))), "OK");
  secrets_.is_away = true;
  EXPECT_EQ(Do(ByVolume()), "was attached");
  secrets_.is_away = false;
  ASSERT_EQ(Outcome(Do(WithSecret(kFormatted))), "OK");
  EXPECT_TRUE(with_secrets_->RemoveLeftSecrets(Soon()).ok());
  EXPECT_TRUE(secrets_.secrets.contains(kVolume));
}

TEST_F(AttachSecretTest, SecretKeptForARebootIsNoAttachmentOfAMapping) {
  ASSERT_EQ(Outcome(Do(WithSecret(kFormatted))), "OK");
  EXPECT_EQ(Do(ByVolume(), /*keep=*/true), "was attached");
  secrets_.secrets.clear();
  EXPECT_TRUE(with_secrets_->List(Soon()).attachments.empty());
  EXPECT_EQ(Do(ByVolume()), "was not");
}

TEST_F(AttachSecretTest, ExtendTellsTheNewSizeOfWhatQemuDecrypts) {
  const ExtendCall extend{.volume_id = kVolume, .key = std::nullopt, .caller_is_admin = false};
  EXPECT_EQ(Outcome(with_secrets_->Extend(extend, Soon())), "NOT_ATTACHED");
  ASSERT_EQ(Outcome(Do(ForQemu(kFormatted))), "OK");
  FakeEncryptor::FakeDevice& device = encryptor_.devices[kFormatted];
  const uint64_t before = device.size_bytes - (uint64_t{2} << 20);
  device.size_bytes *= 2;
  const auto extended = with_secrets_->Extend(extend, Soon());
  ASSERT_EQ(Outcome(extended), "OK");
  EXPECT_EQ(extended->previous_size_bytes, before);
  EXPECT_EQ(extended->mapping.size_bytes, device.size_bytes - (uint64_t{2} << 20));
  EXPECT_EQ(extended->unmapped_secret_uuid, "uuid-1-of-vol-1");
  EXPECT_EQ(with_secrets_->Get(kVolume, Soon())->size_bytes, extended->mapping.size_bytes);
  EXPECT_EQ(secrets_.values[kVolume], "010203");
  device.size_bytes /= 2;
  EXPECT_EQ(Outcome(with_secrets_->Extend(extend, Soon())), "DEVICE_TOO_SMALL");
  device.luks_uuid = "00000000-0000-4000-8000-000000000000";
  EXPECT_EQ(Outcome(with_secrets_->Extend(extend, Soon())), "ATTACHED_DIFFERENTLY");
}

TEST_F(AttachSecretTest, WithoutADeviceThereIsNothingToExtend) {
  ASSERT_EQ(Outcome(Do(ForQemu(""))), "OK");
  const ExtendCall extend{.volume_id = kVolume, .key = std::nullopt, .caller_is_admin = false};
  EXPECT_EQ(Outcome(with_secrets_->Extend(extend, Soon())), "ATTACHED_DIFFERENTLY");
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
  const auto got = with_secrets_->Get(kVolume, Soon());
  ASSERT_EQ(Outcome(got), "OK");
  EXPECT_EQ(got->mode, AttachMode::kLibvirtSecret);
  EXPECT_EQ(got->size_bytes, uint64_t{62} << 20);
  EXPECT_EQ(with_secrets_->List(Soon()).attachments.size(), 1U);
  EXPECT_EQ(Do(ByVolume()), "was attached");
  EXPECT_EQ(Outcome(with_secrets_->Get(kVolume, Soon())), "NOT_ATTACHED");
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
  EXPECT_EQ(Outcome(with_secrets_->Forget(kVolume, std::nullopt, Soon())), "DEVICE_IN_USE");
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
