// Libvirt secrets beside mappings, and volumes that QEMU decrypts.
#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "tests/fakes/fake_volume_secrets.h"
#include "tests/unit/agent/attacher_fixture.h"
#include "tests/unit/temp_directory.h"

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

  std::string UuidOf(const std::string& volume_id) const {
    const auto found = secrets_.secrets.find(volume_id);
    return found == secrets_.secrets.end() ? "no secret" : found->second.uuid;
  }

  // The agent anew, which remembers nothing.
  void Restart(const std::string& boot_id = "boot-1") { Start(&secrets_, boot_id); }
  void RestartWithoutLibvirt() { Start(nullptr, "boot-1"); }
  void Start(VolumeSecrets* secrets, const std::string& boot_id) {
    with_secrets_.emplace(encryptor_, key_managers_, mappings_, pending_, slots_, config_, kHost, secrets,
                          SecretRecords(directory_.Path("secrets"), boot_id));
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
  EXPECT_EQ(answer->libvirt_secret_uuid, UuidOf(kVolume));
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
  EXPECT_EQ(again->libvirt_secret_uuid, UuidOf(kVolume));
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
  EXPECT_EQ(healed->libvirt_secret_uuid, UuidOf(kVolume));
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
  EXPECT_EQ(healed->libvirt_secret_uuid, UuidOf(kVolume));
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
  Restart("boot-2");
  EXPECT_TRUE(with_secrets_->List(Soon()).attachments.empty());
  EXPECT_EQ(Outcome(Do(Call(kFormatted))), "OK");
}

TEST_F(AttachSecretTest, RepeatOfWhatQemuDecryptsNeedsNoKeyManager) {
  ASSERT_EQ(Outcome(Do(ForQemu(kFormatted))), "OK");
  Fail(keys_->on_get, Reason::kKeyManagerUnavailable);
  const auto again = Do(ForQemu(kFormatted));
  ASSERT_EQ(Outcome(again), "OK");
  EXPECT_TRUE(again->already_attached);
  EXPECT_EQ(again->libvirt_secret_uuid, UuidOf(kVolume));
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

TEST_F(AttachSecretTest, NoOtherVolumeIsAttachedToItByAnotherNameOfTheDevice) {
  encryptor_.links["/dev/disk/by-id/formatted"] = kFormatted;
  ASSERT_EQ(Outcome(Do(ForQemu("/dev/disk/by-id/formatted"))), "OK");
  for (const char* const name : {kFormatted, "/dev/disk/by-id/formatted"}) {
    EXPECT_EQ(Outcome(Do(Call(name, "vol-2"))), "DEVICE_IN_USE") << name;
  }
  EXPECT_TRUE(encryptor_.mapped.empty());
}

TEST_F(AttachSecretTest, DeviceThatQemuGotMeanwhileIsNotLeftMapped) {
  encryptor_.on_attach = [this](const AttachRequest& request, const Key* key) {
    encryptor_.on_attach = nullptr;
    EXPECT_EQ(Outcome(Do(ForQemu(kFormatted))), "OK");
    return encryptor_.AttachAsUsual(request, key);
  };
  EXPECT_EQ(Outcome(Do(Call(kFormatted, "vol-2"))), "DEVICE_IN_USE");
  EXPECT_TRUE(encryptor_.mapped.empty());
  EXPECT_EQ(Outcome(with_secrets_->Get(kVolume, Soon())), "OK");
}

TEST_F(AttachSecretTest, DeviceThatWasMappedMeanwhileIsNotHandedToQemu) {
  const std::string mapped = "/dev/sda";  // as sysfs says
  encryptor_.devices[mapped] = encryptor_.devices[kFormatted];
  encryptor_.on_attach = [this](const AttachRequest& request, const Key* key) {
    ShowInSysfs("vol-2");
    return encryptor_.AttachAsUsual(request, key);
  };
  EXPECT_EQ(Outcome(Do(ForQemu(mapped))), "DEVICE_IN_USE");
  EXPECT_TRUE(secrets_.secrets.empty());
  EXPECT_EQ(Outcome(with_secrets_->Get(kVolume, Soon())), "NOT_ATTACHED");
}

TEST_F(AttachSecretTest, OfTwoVolumesThatQemuIsToDecryptOnOneDeviceOneGetsIt) {
  encryptor_.on_attach = [this](const AttachRequest& request, const Key* key) {
    encryptor_.on_attach = nullptr;
    AttachCall other = ForQemu(kFormatted);
    other.volume_id = "vol-2";
    EXPECT_EQ(Outcome(Do(other)), "OK");
    return encryptor_.AttachAsUsual(request, key);
  };
  EXPECT_EQ(Outcome(Do(ForQemu(kFormatted))), "DEVICE_IN_USE");
  EXPECT_EQ(secrets_.secrets.size(), 1U);
  EXPECT_TRUE(secrets_.secrets.contains("vol-2"));
}

TEST_F(AttachSecretTest, DeviceThatCannotBeClaimedIsNotHandedToQemu) {
  directory_.Write("secrets/.vol-1/in-the-files-place", "");
  EXPECT_EQ(Outcome(Do(ForQemu(kFormatted))), "STATE_NOT_WRITABLE");
  EXPECT_TRUE(secrets_.secrets.empty());
  EXPECT_EQ(Outcome(Do(WithSecret(kFormatted))), "OK");
}

// After a rollback: what the newer release recorded may be that QEMU decrypts this very device.
TEST_F(AttachSecretTest, NothingIsAttachedBesideARecordThatOnlyANewerReleaseReads) {
  directory_.Write("secrets/vol-2", "volcrypt-libvirt-secret 2\nboot-1\nsomething else\n");
  EXPECT_EQ(Outcome(Do(ForQemu(kFormatted))), "STATE_NOT_WRITABLE");
  EXPECT_EQ(Outcome(Do(Call(kFormatted))), "STATE_NOT_WRITABLE");
  EXPECT_TRUE(encryptor_.attach_requests.empty());
  Restart("boot-2");
  EXPECT_EQ(Outcome(Do(Call(kFormatted))), "OK") << "what another boot recorded is not attached any more";
}

TEST_F(AttachSecretTest, NothingIsAttachedBesideARecordThatCannotBeRead) {
  directory_.Write("secrets/vol-2/in-the-files-place", "");
  EXPECT_EQ(Outcome(Do(ForQemu(kFormatted))), "STATE_NOT_WRITABLE");
  EXPECT_EQ(Outcome(Do(Call(kFormatted))), "STATE_NOT_WRITABLE");
  EXPECT_TRUE(encryptor_.attach_requests.empty());
}

TEST_F(AttachSecretTest, FailedRegistrationClaimsNoDevice) {
  encryptor_.on_attach = [this](const AttachRequest& request, const Key* key) {
    secrets_.is_away = true;
    return encryptor_.AttachAsUsual(request, key);
  };
  EXPECT_EQ(Outcome(Do(ForQemu(kFormatted))), "LIBVIRT_UNAVAILABLE");
  EXPECT_EQ(Outcome(Do(Call(kFormatted, "vol-2"))), "OK");
}

TEST_F(AttachSecretTest, WhatQemuDecryptsIsNotMappedWhileLibvirtIsAway) {
  ASSERT_EQ(Outcome(Do(ForQemu(kFormatted))), "OK");
  secrets_.is_away = true;
  Restart();
  EXPECT_EQ(Outcome(Do(Call(kFormatted))), "ATTACHED_DIFFERENTLY");
  EXPECT_TRUE(encryptor_.mapped.empty());
}

TEST_F(AttachSecretTest, WhatQemuDecryptsIsNotForgottenWithTheConfigurationOfLibvirt) {
  ASSERT_EQ(Outcome(Do(ForQemu(kFormatted))), "OK");
  RestartWithoutLibvirt();
  EXPECT_EQ(Outcome(Do(Call(kFormatted))), "ATTACHED_DIFFERENTLY");
  EXPECT_EQ(Outcome(Do(Call(kFormatted, "vol-2"))), "DEVICE_IN_USE");
  EXPECT_EQ(Do(ByVolume()), "LIBVIRT_UNAVAILABLE");
  EXPECT_EQ(Outcome(with_secrets_->Forget(kVolume, std::nullopt, Soon())), "DEVICE_IN_USE");
  EXPECT_TRUE(encryptor_.mapped.empty());
  Restart();
  EXPECT_EQ(Do(ByVolume()), "was attached");
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
  encryptor_.links["/dev/disk/by-id/formatted"] = kFormatted;
  ASSERT_EQ(Outcome(Do(ForQemu(kFormatted))), "OK");
  EXPECT_EQ(Do(ByDevice("/dev/disk/by-id/formatted")), "was attached");
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
  EXPECT_EQ(extended->unmapped_secret_uuid, UuidOf(kVolume));
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
