#include "agent/boot_attacher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <atomic>
#include <filesystem>
#include <string>

#include "absl/synchronization/notification.h"
#include "encryptors/unique_fd.h"
#include "tests/fakes/fake_observer.h"
#include "tests/unit/agent/attacher_fixture.h"
#include "tests/unit/eventually.h"

namespace volcrypt {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;

class BootAttacherTest : public AttacherTest {
 protected:
  static BootVolume Of(const std::string& device, const std::string& volume_id = kVolume) {
    return {.call = Call(device, volume_id), .file = volume_id + ".toml"};
  }
  bool NoneWaits() {
    return Eventually([this] { return pending_.Waiting().empty(); });
  }
  bool WaitsBecause(const std::string& reason, const std::string& volume_id = kVolume) {
    return Eventually([&] { return WhyWaits(volume_id).starts_with(reason + ": "); });
  }
  bool Waits(const std::string& volume_id) { return pending_.Waiting().contains(volume_id); }
  std::string WhyWaits(const std::string& volume_id) { return pending_.Waiting()[volume_id].state_reason; }
  std::string LogText() const {
    std::string text(static_cast<size_t>(lseek(log_fd_.Get(), 0, SEEK_END)), '\0');
    EXPECT_EQ(pread(log_fd_.Get(), text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
    return text;
  }

  UniqueFd log_fd_{memfd_create("log", MFD_CLOEXEC)};
  Log log_{LogLevel::kInfo, log_fd_.Get()};
  FakeObserver observer_;
  Audit audit_{log_, observer_};
  BootAttacher boot_{{.attacher = attacher_, .pending = pending_, .log = log_, .observer = observer_, .audit = audit_},
                     {.attempt_timeout = absl::Seconds(30),
                      .first_pause = absl::Milliseconds(1),
                      .longest_pause = absl::Milliseconds(5)}};

  void Start(std::vector<BootVolume> volumes) {
    boot_.SetVolumes({.volumes = std::move(volumes), .errors = {}});
    boot_.Begin();
  }
};

TEST_F(BootAttacherTest, VolumesAreAttachedAndTold) {
  Start({Of(kFormatted)});
  ASSERT_TRUE(NoneWaits());
  boot_.Stop();
  EXPECT_TRUE(encryptor_.mapped.contains(kVolume));
  EXPECT_THAT(LogText(), HasSubstr("info AttachVolume volume=vol-1 device=/dev/formatted key=key-1"));
  EXPECT_THAT(LogText(), HasSubstr(" role=boot"));
  EXPECT_THAT(observer_.Take(), Contains(HasSubstr("operation AttachVolume OK")));
}

TEST_F(BootAttacherTest, VolumeWithoutItsDeviceWaitsAndIsShown) {
  Start({Of("/dev/late")});
  ASSERT_TRUE(WaitsBecause("DEVICE_NOT_FOUND"));
  const absl::StatusOr<Attachment> one = attacher_.Get(kVolume, Soon());
  ASSERT_EQ(Outcome(one), "OK");
  EXPECT_EQ(one->state, MappingState::kWaiting);
  EXPECT_EQ(one->device, "/dev/late");
  const AttachmentList list = attacher_.List(Soon());
  ASSERT_THAT(list.attachments, SizeIs(1));
  EXPECT_EQ(list.attachments[0].state, MappingState::kWaiting);
}

TEST_F(BootAttacherTest, VolumeIsAttachedOnceItsKeyManagerIsThere) {
  std::atomic<bool> is_away = true;
  keys_->on_get = [&is_away](const std::string&) {
    return is_away ? MakeError(Reason::kKeyManagerUnavailable, "not yet") : absl::OkStatus();
  };
  Start({Of(kFormatted)});
  ASSERT_TRUE(WaitsBecause("KEY_MANAGER_UNAVAILABLE"));
  is_away = false;
  EXPECT_TRUE(NoneWaits());
  boot_.Stop();
  EXPECT_TRUE(encryptor_.mapped.contains(kVolume));
}

TEST_F(BootAttacherTest, RepeatedFailureIsToldOnce) {
  std::atomic<int> attempts = 0;
  encryptor_.on_attach = [this, &attempts](const AttachRequest& request, const Key* key) {
    ++attempts;
    return encryptor_.AttachAsUsual(request, key);
  };
  Start({Of("/dev/late")});
  ASSERT_TRUE(Eventually([&attempts] { return attempts > 3; }));
  boot_.Stop();
  const std::string log = LogText();
  EXPECT_THAT(log, HasSubstr("reason=DEVICE_NOT_FOUND"));
  EXPECT_EQ(log.find("reason=DEVICE_NOT_FOUND"), log.rfind("reason=DEVICE_NOT_FOUND"));
}

TEST_F(BootAttacherTest, OneThatHangsHoldsUpNoOther) {
  absl::Notification goes_on;
  encryptor_.on_attach = [this, &goes_on](const AttachRequest& request, const Key* key) {
    if (request.volume_id == "vol-2") goes_on.WaitForNotification();
    return encryptor_.AttachAsUsual(request, key);
  };
  Start({Of("/dev/hangs", "vol-2"), Of(kFormatted)});
  EXPECT_TRUE(Eventually([this] { return !Waits(kVolume); }));
  EXPECT_TRUE(Waits("vol-2"));
  goes_on.Notify();
  boot_.Stop();
}

TEST_F(BootAttacherTest, VolumeThatIsNoLongerNamedWaitsNoMore) {
  Start({Of("/dev/late")});
  ASSERT_TRUE(WaitsBecause("DEVICE_NOT_FOUND"));
  Start({Of("/dev/late", "vol-2")});
  EXPECT_FALSE(Waits(kVolume));
  ASSERT_TRUE(WaitsBecause("DEVICE_NOT_FOUND", "vol-2"));
  Start({});
  boot_.Stop();
  EXPECT_THAT(pending_.Waiting(), IsEmpty());
}

TEST_F(BootAttacherTest, VolumeIsAttachedOnceAndThenLeftAlone) {
  Start({Of(kFormatted)});
  ASSERT_TRUE(NoneWaits());
  ASSERT_EQ(Outcome(attacher_.Detach({.volume_id = kVolume, .device = ""}, Soon())), "OK");
  Start({Of(kFormatted)});
  EXPECT_THAT(pending_.Waiting(), IsEmpty());
  boot_.Stop();
  EXPECT_THAT(encryptor_.mapped, IsEmpty());
}

TEST_F(BootAttacherTest, VolumeThatIsNamedAnewIsAttachedAnew) {
  Start({Of(kFormatted)});
  ASSERT_TRUE(NoneWaits());
  ASSERT_EQ(Outcome(attacher_.Detach({.volume_id = kVolume, .device = ""}, Soon())), "OK");
  Start({});
  Start({Of(kFormatted)});
  ASSERT_TRUE(NoneWaits());
  boot_.Stop();
  EXPECT_TRUE(encryptor_.mapped.contains(kVolume));
}

// The kernel shows the mapping before the attach is done, and it may be undone yet.
TEST_F(BootAttacherTest, MappingInTheMakingIsShownAsWaiting) {
  absl::Notification shown, looked;
  encryptor_.on_attach = [&](const AttachRequest& request, const Key* key) {
    if (key == nullptr) return encryptor_.AttachAsUsual(request, key);
    ShowInSysfs(kVolume);
    shown.Notify();
    looked.WaitForNotification();
    return encryptor_.AttachAsUsual(request, key);
  };
  Start({Of(kFormatted)});
  shown.WaitForNotification();
  EXPECT_EQ(attacher_.List(Soon()).attachments.at(0).state, MappingState::kWaiting);
  EXPECT_EQ(attacher_.Get(kVolume, Soon())->state, MappingState::kWaiting);
  looked.Notify();
  ASSERT_TRUE(NoneWaits());
  EXPECT_EQ(attacher_.List(Soon()).attachments.at(0).state, MappingState::kActive);
  EXPECT_EQ(attacher_.Get(kVolume, Soon())->state, MappingState::kActive);
}

TEST_F(BootAttacherTest, MappingThatWasThereBeforeIsShownAsItIs) {
  ShowInSysfs(kVolume);
  std::filesystem::remove_all(sysfs_.Path("block/dm-0/slaves/sda"));
  Start({Of("/dev/late")});
  ASSERT_TRUE(WaitsBecause("DEVICE_NOT_FOUND"));
  EXPECT_EQ(attacher_.List(Soon()).attachments.at(0).state, MappingState::kBroken);
}

TEST_F(BootAttacherTest, NothingIsTriedBeforeTheBeginning) {
  boot_.SetVolumes({.volumes = {Of(kFormatted)}, .errors = {}});
  EXPECT_EQ(attacher_.Get(kVolume, Soon())->state, MappingState::kWaiting);
  EXPECT_THAT(encryptor_.attach_requests, IsEmpty());
  boot_.Stop();
  EXPECT_THAT(encryptor_.attach_requests, IsEmpty());
}

TEST_F(BootAttacherTest, VolumeDescribedAsBeforeGoesOnAsItWas) {
  Start({Of("/dev/late")});
  ASSERT_TRUE(WaitsBecause("DEVICE_NOT_FOUND"));
  Start({Of("/dev/late")});
  EXPECT_THAT(WhyWaits(kVolume), StartsWith("DEVICE_NOT_FOUND")) << "it began anew";
}

TEST_F(BootAttacherTest, VolumeDescribedAnewIsTriedSo) {
  Start({Of("/dev/late")});
  ASSERT_TRUE(WaitsBecause("DEVICE_NOT_FOUND"));
  Start({Of(kFormatted)});
  ASSERT_TRUE(NoneWaits());
  EXPECT_TRUE(encryptor_.mapped.contains(kVolume));
}

// A file that cannot be read may be that of any of them.
TEST_F(BootAttacherTest, WithErrorsNoneIsForgotten) {
  Start({Of(kFormatted), Of("/dev/late", "vol-2")});
  ASSERT_TRUE(WaitsBecause("DEVICE_NOT_FOUND", "vol-2"));
  ASSERT_TRUE(Eventually([this] { return !Waits(kVolume); }));
  ASSERT_EQ(Outcome(attacher_.Detach({.volume_id = kVolume, .device = ""}, Soon())), "OK");
  boot_.SetVolumes({.volumes = {}, .errors = {{.file = "vol-1.toml", .line = 0, .key = "", .what = "is not TOML"}}});
  EXPECT_TRUE(WaitsBecause("DEVICE_NOT_FOUND", "vol-2"));
  Start({Of(kFormatted), Of("/dev/late", "vol-2")});
  EXPECT_FALSE(Waits(kVolume)) << "it was attached once, and detached since";
}

TEST_F(BootAttacherTest, AtTheEndThoseWhoWaitAreNotDenied) {
  Start({Of("/dev/late")});
  ASSERT_TRUE(WaitsBecause("DEVICE_NOT_FOUND"));
  boot_.RequestStop();
  EXPECT_EQ(attacher_.Get(kVolume, Soon())->state, MappingState::kWaiting);
}

// What the audit says has begun ends there too, though the reason is the one before.
TEST_F(BootAttacherTest, FailedFormatIsToldThoughTheReasonIsKnown) {
  std::atomic<int> begun = 0;
  encryptor_.on_attach = [this, &begun](const AttachRequest& request, const Key* key) {
    if (request.format_as_uuid.empty()) return encryptor_.AttachAsUsual(request, key);
    ++begun;
    return absl::StatusOr<AttachResult>(MakeError(Reason::kDeviceIoError, "it broke"));
  };
  BootVolume volume = Of(kBlank);
  volume.call.first_use = FirstUsePolicy::kFormatIfBlank;
  Start({volume});
  ASSERT_TRUE(Eventually([&begun] { return begun > 1; }));
  boot_.Stop();
  const std::string log = LogText();
  EXPECT_NE(log.find("reason=DEVICE_IO_ERROR"), log.rfind("reason=DEVICE_IO_ERROR")) << log;
}

TEST_F(BootAttacherTest, KeyInTheIdsPlaceIsNotTold) {
  const std::string key(64, 'a');
  keys_->on_get = [](const std::string&) { return MakeError(Reason::kInvalidKeyId, "no id of this key manager"); };
  BootVolume volume = Of(kFormatted);
  volume.call.key->key_id = key;
  Start({volume});
  ASSERT_TRUE(WaitsBecause("INVALID_KEY_ID"));
  EXPECT_FALSE(attacher_.Get(kVolume, Soon())->key);
  boot_.Stop();
  EXPECT_THAT(LogText(), HasSubstr("key=\"invalid (64 bytes)\""));
  EXPECT_THAT(LogText(), Not(HasSubstr(key)));
}

}  // namespace
}  // namespace volcrypt
