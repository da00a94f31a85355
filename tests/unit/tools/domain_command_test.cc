// attach --domain and detach --domain with the libvirt driver that is made for tests: its domain "test" runs, and takes
// no disks. What a real one does is tested in tests/node.
#include "tests/unit/tools/cli_test.h"

namespace volcrypt::ctl {
namespace {

using testing::HasSubstr;

constexpr char kTestUri[] = "test:///default";

class DomainCommandTest : public CliTest {
 protected:
  void SetUp() override {
    CliTest::SetUp();
    Answer(/*already_attached=*/false);
    v1::DetachVolumeResponse detached;
    detached.set_was_attached(true);
    agent_.volumes.detach.AnswerWith(detached);
    v1::GetAttachmentResponse got;
    *got.mutable_attachment() = SomeAttachment();
    agent_.volumes.get.AnswerWith(got);
  }
  void Answer(bool already_attached) {
    v1::AttachVolumeResponse attached;
    *attached.mutable_attachment() = SomeAttachment();
    attached.set_already_attached(already_attached);
    agent_.volumes.attach.AnswerWith(attached);
  }
  Result Attach(const std::string& domain, const std::string& uri = kTestUri) {
    return Run({"attach", kVolume, "/dev/sdb", "--key", "k", "--domain", domain, "--connect", uri, "-o", "json"});
  }
  Result Detach(const std::string& domain, const std::string& uri = kTestUri) {
    return Run({"detach", kVolume, "--domain", domain, "--connect", uri, "-o", "json"});
  }
};

TEST_F(DomainCommandTest, VolumeIsDetachedAgainWhenTheDomainRefusesIt) {
  const Result result = Attach("test");
  EXPECT_EQ(result.status, 6);
  EXPECT_EQ(result.ErrorJson()["error"]["reason"], "DOMAIN_REFUSED");
  ASSERT_EQ(agent_.volumes.detach.requests.size(), 1U);
  EXPECT_EQ(agent_.volumes.detach.requests[0].volume_id(), kVolume);
  EXPECT_FALSE(agent_.volumes.detach.requests[0].deferred());
}

TEST_F(DomainCommandTest, VolumeThatWasAttachedBeforeStays) {
  Answer(/*already_attached=*/true);
  EXPECT_EQ(Attach("test").status, 6);
  EXPECT_TRUE(agent_.volumes.detach.requests.empty());
}

TEST_F(DomainCommandTest, FirstErrorIsToldWithWhatBecameOfTheRollback) {
  agent_.volumes.detach.FailWith(AgentError(grpc::FAILED_PRECONDITION, "MAPPING_IN_USE", "it is in use"));
  const Result result = Attach("nobody");
  EXPECT_EQ(result.status, 4);
  EXPECT_EQ(result.ErrorJson()["error"]["reason"], "DOMAIN_NOT_FOUND");
  EXPECT_THAT(result.err, HasSubstr("libvirt has no domain nobody"));
  EXPECT_THAT(result.err, HasSubstr("detaching the volume again failed too: it is in use"));
}

TEST_F(DomainCommandTest, LibvirtThatIsAwayIsSaid) {
  const std::string nowhere = "qemu:///system?socket=/nonexistent/socket";
  const Result attached = Attach("test", nowhere);
  EXPECT_EQ(attached.status, 7);
  EXPECT_EQ(attached.ErrorJson()["error"]["reason"], "LIBVIRT_UNAVAILABLE");
  EXPECT_EQ(agent_.volumes.detach.requests.size(), 1U);
  EXPECT_EQ(Detach("test", nowhere).status, 7);
  EXPECT_EQ(agent_.volumes.detach.requests.size(), 1U);
}

TEST_F(DomainCommandTest, RefusedAttachNeedsNoLibvirt) {
  agent_.volumes.attach.FailWith(AgentError(grpc::FAILED_PRECONDITION, "KEY_REJECTED", "wrong key"));
  EXPECT_EQ(Attach("test", "nothing:///at-all").status, 2);
}

TEST_F(DomainCommandTest, DomainWithoutTheDiskHasNothingToGiveBack) {
  const Result result = Detach("test");
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(agent_.volumes.detach.requests.size(), 1U);
  agent_.volumes.get.FailWith(AgentError(grpc::NOT_FOUND, "NOT_ATTACHED", "not attached"));
  EXPECT_EQ(Detach("test").status, 0);
}

TEST_F(DomainCommandTest, VolumeStaysWhenTheDomainIsNotFound) {
  EXPECT_EQ(Detach("nobody").status, 4);
  EXPECT_TRUE(agent_.volumes.detach.requests.empty());
}

TEST_F(DomainCommandTest, WrongUsageIsSaidBeforeAnythingIsDone) {
  for (const std::vector<std::string>& args :
       std::vector<std::vector<std::string>>{{"attach", kVolume, "/dev/sdb", "--target", "sda"},
                                             {"attach", kVolume, "/dev/sdb", "--connect", kTestUri},
                                             {"attach", kVolume, "--mode", "libvirt", "--domain", "test"},
                                             {"detach", kVolume, "--connect", kTestUri},
                                             {"detach", "--device", "/dev/sdb", "--domain", "test"},
                                             {"detach", "--all", "--domain", "test"}}) {
    EXPECT_EQ(Run(args).status, 1) << testing::PrintToString(args);
  }
  EXPECT_TRUE(agent_.volumes.attach.requests.empty());
  EXPECT_TRUE(agent_.volumes.detach.requests.empty());
}

}  // namespace
}  // namespace volcrypt::ctl
