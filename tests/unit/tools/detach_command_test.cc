#include "tests/unit/tools/cli_test.h"

namespace volcrypt::ctl {
namespace {

using testing::HasSubstr;

class DetachCommandTest : public CliTest {
 protected:
  void SetUp() override {
    CliTest::SetUp();
    Answer(true, false);
  }
  void Answer(bool was_attached, bool pending) {
    v1::DetachVolumeResponse response;
    response.set_was_attached(was_attached);
    response.set_pending(pending);
    agent_.volumes.detach.AnswerWith(response);
  }
  void Attached(const std::vector<std::string>& volume_ids) {
    v1::ListAttachmentsResponse list;
    for (const std::string& id : volume_ids) *list.add_attachments() = SomeAttachment(id);
    agent_.volumes.list.AnswerWith(list);
  }
};

TEST_F(DetachCommandTest, OptionsReachTheirFields) {
  ASSERT_EQ(Run({"detach", "v", "--deferred"}).status, 0);
  ASSERT_EQ(Run({"detach", "--device", "/dev/sdb", "--keep-libvirt-secret"}).status, 0);
  ASSERT_EQ(agent_.volumes.detach.requests.size(), 2U);
  const v1::DetachVolumeRequest& by_id = agent_.volumes.detach.requests[0];
  EXPECT_EQ(by_id.volume_id(), "v");
  EXPECT_EQ(by_id.device(), "");
  EXPECT_TRUE(by_id.deferred());
  EXPECT_FALSE(by_id.keep_libvirt_secret());
  const v1::DetachVolumeRequest& by_device = agent_.volumes.detach.requests[1];
  EXPECT_EQ(by_device.volume_id(), "");
  EXPECT_EQ(by_device.device(), "/dev/sdb");
  EXPECT_FALSE(by_device.deferred());
  EXPECT_TRUE(by_device.keep_libvirt_secret());
}

TEST_F(DetachCommandTest, OutputTellsWhatHappened) {
  EXPECT_EQ(Run({"detach", "v"}).out, "v: detached\n");
  EXPECT_EQ(Run({"detach", "--device", "/dev/sdb"}).out, "/dev/sdb: detached\n");
  EXPECT_EQ(Run({"detach", "v", "-q"}).out, "");
  Answer(true, true);
  EXPECT_THAT(Run({"detach", "v", "--deferred"}).out, HasSubstr("v: still in use"));
  Answer(false, false);
  const Result result = Run({"detach", "v"});
  EXPECT_EQ(result.status, 0);
  EXPECT_EQ(result.out, "v: was not attached\n");
  const nlohmann::ordered_json json = Run({"detach", "v", "-o", "json"}).Json();
  EXPECT_EQ(json.dump(), R"({"schema":"volcrypt/v1","was_attached":false,"pending":false})");
}

TEST_F(DetachCommandTest, NeedsExactlyOneTarget) {
  for (const std::vector<std::string>& args :
       std::vector<std::vector<std::string>>{{"detach"},
                                             {"detach", "v", "--all"},
                                             {"detach", "v", "--device", "/d"},
                                             {"detach", "--device", "/d", "--all"}}) {
    EXPECT_EQ(Run(args).status, 1);
  }
  EXPECT_TRUE(agent_.volumes.detach.requests.empty());
}

TEST_F(DetachCommandTest, OneVolumeNeedsNoConfirmation) {
  AnswerQuestions("n");
  EXPECT_EQ(Run({"detach", "v"}).status, 0);
  EXPECT_EQ(questions_, 0);
}

TEST_F(DetachCommandTest, AllWithoutATerminalNeedsYes) {
  Attached({"v1", "v2"});
  const Result refused = Run({"detach", "--all"});
  EXPECT_EQ(refused.status, 1);
  EXPECT_THAT(refused.err, HasSubstr("--yes (NOT_CONFIRMED)"));
  EXPECT_TRUE(agent_.volumes.list.requests.empty());
  EXPECT_TRUE(agent_.volumes.detach.requests.empty());
  EXPECT_EQ(Run({"detach", "--all", "--yes", "--deferred"}).status, 0);
  ASSERT_EQ(agent_.volumes.detach.requests.size(), 2U);
  EXPECT_EQ(agent_.volumes.detach.requests[0].volume_id(), "v1");
  EXPECT_EQ(agent_.volumes.detach.requests[1].volume_id(), "v2");
  EXPECT_TRUE(agent_.volumes.detach.requests[1].deferred());
}

TEST_F(DetachCommandTest, AllAsksOnATerminalWithTheNumber) {
  Attached({"v1", "v2"});
  for (const char* no : {"", "n", "no", "yess", "Y E S"}) {
    AnswerQuestions(no);
    const Result result = Run({"detach", "--all"});
    EXPECT_EQ(result.status, 1) << no;
    EXPECT_THAT(result.err, HasSubstr("(2)? [y/N] "));
  }
  EXPECT_TRUE(agent_.volumes.detach.requests.empty());
  for (const char* yes : {"y", "Y", " yes ", "YES"}) {
    AnswerQuestions(yes);
    EXPECT_EQ(Run({"detach", "--all"}).status, 0) << yes;
  }
  EXPECT_EQ(agent_.volumes.detach.requests.size(), 8U);
}

TEST_F(DetachCommandTest, AllLeavesThoseAloneThatWaitToBeAttached) {
  v1::ListAttachmentsResponse list;
  for (const char* id : {"a", "b"}) *list.add_attachments() = SomeAttachment(id);
  list.mutable_attachments(0)->set_state(v1::Attachment::STATE_WAITING);
  agent_.volumes.list.AnswerWith(list);
  EXPECT_EQ(Run({"detach", "--all", "--yes"}).status, 0);
  ASSERT_EQ(agent_.volumes.detach.requests.size(), 1U);
  EXPECT_EQ(agent_.volumes.detach.requests[0].volume_id(), "b");
}

TEST_F(DetachCommandTest, AllOfNothingAsksNothing) {
  AnswerQuestions("n");
  const Result result = Run({"detach", "--all"});
  EXPECT_EQ(result.status, 0);
  EXPECT_EQ(result.err, "volcryptctl: no volume is attached\n");
  EXPECT_EQ(questions_, 0);
  EXPECT_EQ(Run({"detach", "--all", "-o", "json"}).Json().dump(), R"({"schema":"volcrypt/v1","volumes":[]})");
}

TEST_F(DetachCommandTest, AllGoesOnAfterAFailureAndReportsTheFirst) {
  Attached({"v1", "v2", "v3"});
  agent_.volumes.detach.answer = [](grpc::ServerContext&, const v1::DetachVolumeRequest& request,
                                    v1::DetachVolumeResponse& response) {
    response.set_was_attached(true);
    if (request.volume_id() == "v3") return grpc::Status::OK;
    return AgentError(grpc::FAILED_PRECONDITION, "MAPPING_IN_USE", request.volume_id() + " is open");
  };
  const Result table = Run({"detach", "--all", "--yes"});
  EXPECT_EQ(table.status, 5);
  EXPECT_THAT(table.out, HasSubstr("v2      failed: v2 is open (MAPPING_IN_USE)\n"));
  EXPECT_THAT(table.out, HasSubstr("v3      detached\n"));
  EXPECT_EQ(table.err, "volcryptctl: v1 is open; 2 of 3 volumes could not be detached (MAPPING_IN_USE)\n");
  const Result json = Run({"detach", "--all", "--yes", "-o", "json"});
  EXPECT_EQ(json.status, 5);
  EXPECT_EQ(json.Json()["volumes"][0]["error"]["reason"], "MAPPING_IN_USE");
  EXPECT_EQ(json.Json()["volumes"][2]["was_attached"], true);
  EXPECT_EQ(json.ErrorJson()["error"]["metadata"]["volume_id"], "v1");
}

TEST_F(DetachCommandTest, InterruptEndsAll) {
  Attached({"v1", "v2", "v3"});
  agent_.volumes.detach.answer = [&](grpc::ServerContext&, const v1::DetachVolumeRequest&, v1::DetachVolumeResponse&) {
    interrupt_.Trigger();
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"detach", "--all", "--yes"}).status, 8);
  EXPECT_EQ(agent_.volumes.detach.requests.size(), 1U);
}

}  // namespace
}  // namespace volcrypt::ctl
