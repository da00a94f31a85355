// LibvirtSecrets against a real libvirtd.
#include "agent/libvirt/libvirt_secrets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "absl/time/clock.h"
#include "encryptors/reason.h"
#include "tests/unit/libvirt/admin.h"
#include "tests/unit/libvirt/libvirtd_process.h"

namespace volcrypt {
namespace {

using testing::HasSubstr;

constexpr char kVolume[] = "vol-1";
constexpr char kForeignUuid[] = "11111111-2222-4333-8444-555555555555";

SecretBytes Value(const std::string& text) {
  SecretBytes value = *SecretBytes::Allocate(text.size());
  std::ranges::copy(text, value.Bytes().begin());
  return value;
}

absl::Time Soon() { return absl::Now() + absl::Seconds(20); }

SecretNote Note() { return {.is_attachment = true, .device = "/dev/sdb", .size_bytes = 4096}; }

bool IsAway(const absl::Status& status) { return HasReason(status, Reason::kLibvirtUnavailable); }

class LibvirtSecretsTest : public testing::Test {
 protected:
  absl::StatusOr<PutSecret> Put(const std::string& value = "value", const std::string& volume_id = kVolume) {
    return secrets_.Put(volume_id, "", Note(), Value(value), Soon());
  }
  // What persistent secrets show of their value: the content of the file, or "none".
  std::string StoredValue(const std::string& uuid) const {
    std::ifstream file(libvirtd_.SecretsDirectory() + "/" + uuid + ".base64");
    if (!file) return "none";
    return {std::istreambuf_iterator<char>(file), {}};
  }

  LibvirtdProcess libvirtd_;
  LibvirtSecrets secrets_{libvirtd_.Uri(), LibvirtSecrets::Lifetime::kEphemeral};
  LibvirtSecrets persistent_{libvirtd_.Uri(), LibvirtSecrets::Lifetime::kPersistent};
};

TEST_F(LibvirtSecretsTest, PutSecretIsEphemeralPrivateDescribedAndFound) {
  const auto put = Put();
  ASSERT_TRUE(put.ok()) << put.status();
  EXPECT_TRUE(put->created);
  const std::string xml = Admin(libvirtd_.Uri()).XmlOf(kVolume);
  EXPECT_THAT(xml, HasSubstr("<secret ephemeral='yes' private='yes'>"));
  EXPECT_THAT(xml, HasSubstr("<description>volcrypt mode=libvirt device=/dev/sdb size=4096</description>"));
  const auto found = secrets_.Find(kVolume, Soon());
  ASSERT_TRUE(found.ok() && found->has_value());
  EXPECT_EQ((*found)->uuid, put->uuid);
  EXPECT_TRUE((*found)->has_value);
  EXPECT_EQ((*found)->note, Note());
  EXPECT_EQ(StoredValue(put->uuid), "none");
}

TEST_F(LibvirtSecretsTest, PuttingAgainKeepsTheSecretAndGivesItTheNewValue) {
  const auto first = persistent_.Put(kVolume, "", Note(), Value("one"), Soon());
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(StoredValue(first->uuid), "b25l");
  const auto second = persistent_.Put(kVolume, "", {.device = "/dev/sdc"}, Value("two"), Soon());
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_FALSE(second->created);
  EXPECT_EQ(second->uuid, first->uuid);
  EXPECT_EQ(StoredValue(first->uuid), "dHdv");
  EXPECT_EQ((*secrets_.Find(kVolume, Soon()))->note.device, "/dev/sdc");
}

TEST_F(LibvirtSecretsTest, ConfiguredLifetimeIsThatOfAnAdoptedSecretToo) {
  const auto put = Put("one");
  ASSERT_TRUE(persistent_.Put(kVolume, "", Note(), Value("one"), Soon()).ok());
  EXPECT_EQ(StoredValue(put->uuid), "b25l");
  ASSERT_TRUE(Put("one").ok());
  EXPECT_EQ(StoredValue(put->uuid), "none");
}

TEST_F(LibvirtSecretsTest, LostSecretComesBackUnderItsUuid) {
  const auto first = Put();
  ASSERT_TRUE(first.ok()) << first.status();
  libvirtd_.Kill();
  libvirtd_.Start();
  const auto again = secrets_.Put(kVolume, first->uuid, Note(), Value("value"), Soon());
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->uuid, first->uuid);
  EXPECT_TRUE(again->created);
}

TEST_F(LibvirtSecretsTest, UuidThatIsSomebodyElsesByNowIsNotTakenFromThem) {
  Admin admin(libvirtd_.Uri());
  for (const char* const usage :
       {"<usage type='ceph'><name>vol-1</name></usage>", "<usage type='volume'><volume>vol-2</volume></usage>"}) {
    admin.Define(std::string("<secret ephemeral='yes' private='no'><uuid>") + kForeignUuid + "</uuid>" + usage +
                 "</secret>");
    const auto put = secrets_.Put(kVolume, kForeignUuid, Note(), Value("value"), Soon());
    ASSERT_TRUE(put.ok()) << put.status();
    EXPECT_NE(put->uuid, kForeignUuid);
    EXPECT_EQ(admin.Count(), 2);
    EXPECT_TRUE(admin.UndefineByUuid(kForeignUuid));
    EXPECT_TRUE(admin.Undefine(kVolume));
  }
}

TEST_F(LibvirtSecretsTest, AmendedNoteLeavesUuidAndValueAlone) {
  const auto put = persistent_.Put(kVolume, "", Note(), Value("one"), Soon());
  SecretNote note = Note();
  note.size_bytes *= 2;
  ASSERT_TRUE(*persistent_.Amend(kVolume, note, Soon()));
  const auto found = *secrets_.Find(kVolume, Soon());
  ASSERT_TRUE(found);
  EXPECT_EQ(found->note, note);
  EXPECT_TRUE(found->has_value);
  EXPECT_EQ(found->uuid, put->uuid);
  EXPECT_EQ(StoredValue(put->uuid), "b25l");
  EXPECT_FALSE(*secrets_.Amend("vol-2", note, Soon()));
}

TEST_F(LibvirtSecretsTest, SecretOfSomebodyElseIsNamedAndLeftAlone) {
  Admin admin(libvirtd_.Uri());
  admin.Define(std::string("<secret ephemeral='no' private='no'><uuid>") + kForeignUuid +
               "</uuid><usage type='volume'><volume>vol-1</volume></usage></secret>");
  const std::string before = admin.XmlOf(kVolume);
  const auto put = Put();
  EXPECT_TRUE(HasReason(put.status(), Reason::kAttachedDifferently)) << put.status();
  EXPECT_THAT(put.status().message(), HasSubstr(kForeignUuid));
  EXPECT_FALSE(secrets_.Find(kVolume, Soon())->has_value());
  EXPECT_FALSE(*secrets_.Remove(kVolume, Soon()));
  EXPECT_FALSE(*secrets_.Amend(kVolume, Note(), Soon()));
  EXPECT_TRUE(secrets_.List(Soon())->empty());
  EXPECT_EQ(admin.XmlOf(kVolume), before);
}

TEST_F(LibvirtSecretsTest, SecretWithoutValueIsSeenAndRepaired) {
  Admin admin(libvirtd_.Uri());
  admin.Define(std::string("<secret ephemeral='no' private='yes'><uuid>") + kForeignUuid +
               "</uuid><description>volcrypt incomplete mode=libvirt</description><usage type='volume'>"
               "<volume>vol-1</volume></usage></secret>");
  EXPECT_FALSE((*secrets_.Find(kVolume, Soon()))->has_value);
  const auto put = persistent_.Put(kVolume, "", Note(), Value("one"), Soon());
  ASSERT_TRUE(put.ok()) << put.status();
  EXPECT_TRUE(put->created);
  EXPECT_EQ(put->uuid, kForeignUuid);
  EXPECT_TRUE((*secrets_.Find(kVolume, Soon()))->has_value);
  EXPECT_EQ(StoredValue(kForeignUuid), "b25l");
}

TEST_F(LibvirtSecretsTest, RefusedValueLeavesNoSecretBehind) {
  Admin admin(libvirtd_.Uri());
  EXPECT_TRUE(IsAway(secrets_.Put(kVolume, "", Note(), SecretBytes(), Soon()).status()));
  EXPECT_EQ(admin.Count(), 0);
  admin.Define(
      "<secret ephemeral='yes' private='yes'><description>volcrypt incomplete mode=host</description>"
      "<usage type='volume'><volume>vol-1</volume></usage></secret>");
  EXPECT_TRUE(IsAway(secrets_.Put(kVolume, "", Note(), SecretBytes(), Soon()).status()));
  EXPECT_EQ(admin.Count(), 0);
}

TEST_F(LibvirtSecretsTest, UnusableStateDirectoryLeavesNothingAndSparesEphemeralSecrets) {
  ASSERT_EQ(Admin(libvirtd_.Uri()).Count(), 0);  // it has made its directory, without which it would not start
  std::filesystem::create_directories(std::filesystem::path(libvirtd_.SecretsDirectory()).parent_path());
  std::filesystem::remove_all(libvirtd_.SecretsDirectory());
  std::ofstream(libvirtd_.SecretsDirectory()) << "in the way";
  EXPECT_TRUE(IsAway(persistent_.Put(kVolume, "", Note(), Value("one"), Soon()).status()));
  EXPECT_EQ(Admin(libvirtd_.Uri()).Count(), 0);
  EXPECT_TRUE(Put().ok());
}

TEST_F(LibvirtSecretsTest, RemovingTwiceSucceeds) {
  ASSERT_TRUE(Put().ok());
  EXPECT_TRUE(*secrets_.Remove(kVolume, Soon()));
  EXPECT_EQ(Admin(libvirtd_.Uri()).Count(), 0);
  const auto again = secrets_.Remove(kVolume, Soon());
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_FALSE(*again);
}

TEST_F(LibvirtSecretsTest, ListHasOursInTheOrderOfVolumesAndNothingElse) {
  Admin admin(libvirtd_.Uri());
  admin.Define("<secret ephemeral='yes' private='no'/>");
  admin.Define(
      "<secret ephemeral='yes' private='no'><description>volcrypt mode=host</description>"
      "<usage type='ceph'><name>vol-0</name></usage></secret>");
  for (const char* const volume : {"vol-2", "vol-3", "vol-1"}) ASSERT_TRUE(Put("value", volume).ok());
  const auto all = secrets_.List(Soon());
  ASSERT_TRUE(all.ok()) << all.status();
  ASSERT_EQ(all->size(), 3);
  EXPECT_EQ((*all)[0].volume_id, "vol-1");
  EXPECT_EQ((*all)[2].volume_id, "vol-3");
}

TEST_F(LibvirtSecretsTest, ConcurrentPutsOfOneVolumeMakeOneSecretAndAllSucceed) {
  constexpr int kThreads = 8;
  std::vector<std::unique_ptr<LibvirtSecrets>> agents;
  std::vector<absl::StatusOr<PutSecret>> results(kThreads);
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    agents.push_back(std::make_unique<LibvirtSecrets>(libvirtd_.Uri(), LibvirtSecrets::Lifetime::kEphemeral));
    threads.emplace_back([&results, &agents, i] {
      results[static_cast<size_t>(i)] = agents[static_cast<size_t>(i)]->Put(kVolume, "", Note(), Value("same"), Soon());
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& result : results) {
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(result->uuid, results[0]->uuid);
  }
  EXPECT_EQ(Admin(libvirtd_.Uri()).Count(), 1);
}

TEST_F(LibvirtSecretsTest, ManyVolumesAtOnceEachGetTheirSecret) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 16; ++i) {
    threads.emplace_back([this, i] { EXPECT_TRUE(Put("value", "vol-" + std::to_string(i)).ok()); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(secrets_.List(Soon())->size(), 16);
}

TEST_F(LibvirtSecretsTest, EphemeralSecretsEndWithLibvirtdAndPersistentOnesDoNot) {
  ASSERT_TRUE(Put("value", "vol-1").ok());
  ASSERT_TRUE(persistent_.Put("vol-2", "", Note(), Value("value"), Soon()).ok());
  libvirtd_.Kill();
  libvirtd_.Start();
  // On the connection that was lost, which nobody has noticed yet.
  const auto all = secrets_.List(Soon());
  ASSERT_TRUE(all.ok()) << all.status();
  ASSERT_EQ(all->size(), 1);
  EXPECT_EQ((*all)[0].volume_id, "vol-2");
  EXPECT_TRUE(Put().ok());
}

TEST_F(LibvirtSecretsTest, AbsentLibvirtdIsUnavailableAtOnceAndFoundWhenItIsBack) {
  ASSERT_TRUE(Put().ok());
  libvirtd_.Kill();
  const absl::Time begin = absl::Now();
  EXPECT_TRUE(IsAway(Put().status()));
  EXPECT_TRUE(IsAway(secrets_.Find(kVolume, Soon()).status()));
  EXPECT_TRUE(IsAway(secrets_.Remove(kVolume, Soon()).status()));
  EXPECT_TRUE(IsAway(secrets_.List(Soon()).status()));
  EXPECT_LT(absl::Now() - begin, absl::Seconds(5));
  libvirtd_.Start();
  EXPECT_TRUE(Put().ok());
}

TEST_F(LibvirtSecretsTest, StoppedLibvirtdCostsNoCallMoreThanItsDeadline) {
  ASSERT_TRUE(Put().ok());
  libvirtd_.Stop();
  for (const bool connected : {true, false}) {
    const absl::Time begin = absl::Now();
    LibvirtSecrets fresh(libvirtd_.Uri(), LibvirtSecrets::Lifetime::kEphemeral);
    LibvirtSecrets& secrets = connected ? secrets_ : fresh;
    const auto put = secrets.Put("vol-2", "", Note(), Value("value"), begin + absl::Seconds(1));
    EXPECT_TRUE(IsAway(put.status())) << put.status();
    EXPECT_LT(absl::Now() - begin, absl::Seconds(5)) << connected;  // without a deadline, six
  }
  libvirtd_.Continue();
}

TEST_F(LibvirtSecretsTest, StoppedLibvirtdIsNoticedWithoutADeadline) {
  ASSERT_TRUE(Put().ok());
  libvirtd_.Stop();
  const absl::Time begin = absl::Now();
  EXPECT_TRUE(IsAway(secrets_.Find(kVolume, absl::InfiniteFuture()).status()));
  EXPECT_LT(absl::Now() - begin, absl::Seconds(20));
  libvirtd_.Continue();
  EXPECT_TRUE(Put().ok());
}

TEST_F(LibvirtSecretsTest, SecretThatNobodyWaitedForIsNotLeftBehind) {
  ASSERT_TRUE(Put().ok());
  libvirtd_.Stop();
  EXPECT_FALSE(secrets_.Put("vol-2", "", Note(), Value("value"), absl::Now() + absl::Milliseconds(300)).ok());
  EXPECT_FALSE(secrets_.Put("vol-3", "", Note(), Value("value"), absl::Now() + absl::Milliseconds(300)).ok());
  libvirtd_.Continue();
  // Behind the two in the queue.
  const auto all = secrets_.List(Soon());
  ASSERT_TRUE(all.ok()) << all.status();
  ASSERT_EQ(all->size(), 1);
  EXPECT_EQ((*all)[0].volume_id, kVolume);
}

TEST_F(LibvirtSecretsTest, UriOfQemusDriverLeadsToTheSecretsOfTheSameLibvirtd) {
  ASSERT_TRUE(Put().ok());
  LibvirtSecrets secrets("qemu:///session?socket=" + libvirtd_.Socket(), LibvirtSecrets::Lifetime::kEphemeral);
  const auto found = secrets.Find(kVolume, Soon());
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_TRUE(found->has_value());
}

TEST_F(LibvirtSecretsTest, NobodyAtTheSocketsPathSaysSo) {
  LibvirtSecrets nowhere("secret:///session?socket=/nonexistent/socket", LibvirtSecrets::Lifetime::kEphemeral);
  const auto found = nowhere.Find(kVolume, Soon());
  EXPECT_TRUE(IsAway(found.status()));
  EXPECT_THAT(found.status().message(), HasSubstr("/nonexistent/socket"));
}

}  // namespace
}  // namespace volcrypt
