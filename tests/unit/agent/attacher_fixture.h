#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "agent/attacher.h"
#include "encryptors/reason.h"
#include "tests/fakes/fake_encryptor.h"
#include "tests/fakes/fake_key_manager.h"
#include "tests/unit/agent/outcome.h"
#include "tests/unit/temp_directory.h"

namespace volcrypt {

// An attacher over fakes: one key, one blank device and one formatted device, and a sysfs that shows what the test puts
// there.
class AttacherTest : public testing::Test {
 protected:
  using State = FirstUseRecord::State;
  static constexpr char kKey[] = "key-1";
  static constexpr char kOtherKey[] = "key-2";
  static constexpr char kHost[] = "host-a";
  static constexpr char kOtherHost[] = "host-b";
  static constexpr char kVolume[] = "vol-1";
  static constexpr char kBlank[] = "/dev/blank";
  static constexpr char kFormatted[] = "/dev/formatted";
  static constexpr char kUuid[] = "01234567-89ab-4def-8123-456789abcdef";
  static constexpr char kOtherUuid[] = "11111111-2222-4333-8444-555555555555";

  AttacherTest() {
    keys_->keys[kKey] = {1, 2, 3};
    keys_->keys[kOtherKey] = {4, 5, 6};
    encryptor_.devices[kBlank] = {};
    FakeEncryptor::FakeDevice& formatted = encryptor_.devices[kFormatted];
    formatted.blank = false;
    formatted.luks_uuid = kUuid;
    formatted.passphrase_key_hex = "010203";
    formatted.token_volume_id = kVolume;
    formatted.token_key = {.key_manager = "local", .key_id = kKey};
  }

  static AttachCall Call(const std::string& device, const std::string& volume_id = kVolume) {
    AttachCall call;
    call.volume_id = volume_id;
    call.device = device;
    call.key = KeyReference{.key_manager = "", .key_id = kKey};
    return call;
  }

  static absl::Time Soon() { return absl::Now() + absl::Seconds(30); }

  absl::StatusOr<AttachAnswer> Attach(const AttachCall& call) { return attacher_.Attach(call, Soon()); }

  // As the kernel shows a mapping of ours.
  void ShowInSysfs(const std::string& volume_id, Format format = Format::kLuks2) {
    const std::string name = "volcrypt-" + volume_id;
    const std::string directory = "block/dm-" + std::to_string(shown_++);
    const std::string type = format == Format::kLuks1 ? "CRYPT-LUKS1-" : "CRYPT-LUKS2-";
    sysfs_.Write(directory + "/dm/name", name + "\n");
    sysfs_.Write(directory + "/dm/uuid", type + "0123456789ab4def8123456789abcdef-" + name + "\n");
    sysfs_.Write(directory + "/dm/suspended", "0\n");
    sysfs_.Write(directory + "/size", "2048\n");
    sysfs_.Write(directory + "/ro", "0\n");
    sysfs_.Write(directory + "/slaves/sda/size", "4096\n");
  }

  void AttachAndShow(const AttachCall& call) {
    ASSERT_EQ(Outcome(Attach(call)), "OK");
    ShowInSysfs(call.volume_id);
    encryptor_.calls.clear();
    encryptor_.attach_requests.clear();
    keys_->calls.clear();
  }

  static void Fail(FakeKeyManager::Hook& hook, Reason reason) {
    hook = [reason](const std::string&) { return MakeError(reason, "failed on purpose"); };
  }

  // The second operation of a first use fails; the first goes as usual.
  void FailFormat(Reason reason) {
    encryptor_.on_attach = [this, reason](const AttachRequest& request,
                                          const Key* key) -> absl::StatusOr<AttachResult> {
      if (!request.format_as_uuid.empty()) return MakeError(reason, "failed on purpose");
      return encryptor_.AttachAsUsual(request, key);
    };
  }

  // As before the first call, hooks apart.
  void Reset() {
    keys_->records.clear();
    keys_->calls.clear();
    encryptor_.calls.clear();
    encryptor_.attach_requests.clear();
    encryptor_.mapped.clear();
    encryptor_.devices[kBlank] = {};
  }

  void PutRecord(State state, const std::string& host, const std::string& luks_uuid) {
    keys_->records[kKey][kVolume] = {.volume_id = kVolume, .state = state, .host = host, .luks_uuid = luks_uuid};
  }

  // "claimed host uuid", or "none".
  std::string RecordOf(const std::string& volume_id = kVolume) const {
    const auto key = keys_->records.find(kKey);
    if (key == keys_->records.end()) return "none";
    const auto found = key->second.find(volume_id);
    if (found == key->second.end()) return "none";
    const FirstUseRecord& record = found->second;
    return (record.state == State::kClaimed ? "claimed " : "formatted ") + record.host + " " + record.luks_uuid;
  }

  using Calls = std::vector<std::string>;

  // Held by key_managers_ as "local", which is the default, "other", and "fixed", of type conf.
  FakeKeyManager* keys_ = nullptr;
  FakeKeyManager* other_keys_ = nullptr;
  FakeKeyManager* fixed_keys_ = nullptr;
  FakeEncryptor encryptor_;
  TempDirectory sysfs_;
  int shown_ = 0;
  Mappings mappings_{sysfs_.Path()};
  PendingVolumes pending_;
  OperationSlots slots_{4, 64};
  VolumesConfig config_;
  KeyManagers key_managers_ = MakeKeyManagers();
  Attacher attacher_{encryptor_, key_managers_, mappings_, pending_, slots_, config_, kHost};

 private:
  KeyManagers MakeKeyManagers() {
    auto local = std::make_unique<FakeKeyManager>();
    auto other = std::make_unique<FakeKeyManager>();
    auto fixed = std::make_unique<FakeKeyManager>();
    keys_ = local.get();
    other_keys_ = other.get();
    fixed_keys_ = fixed.get();
    std::map<std::string, KeyManagers::Entry> entries;
    entries["local"] = {.type = "local", .manager = std::move(local)};
    entries["other"] = {.type = "local", .manager = std::move(other)};
    entries["fixed"] = {.type = "conf", .manager = std::move(fixed)};
    return {"local", std::move(entries)};
  }
};

}  // namespace volcrypt
