#include "tests/unit/tools/cli_test.h"

namespace volcrypt::ctl {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

class WaitCommandTest : public CliTest {
 protected:
  // The states that the agent answers with, one after the other; the last one from then on.
  void AnswerWithStates(std::vector<v1::Attachment::State> states) {
    agent_.volumes.get.answer = [states = std::move(states), next = size_t{0}](
                                    grpc::ServerContext&, const v1::GetAttachmentRequest&,
                                    v1::GetAttachmentResponse& response) mutable {
      *response.mutable_attachment() = SomeAttachment();
      response.mutable_attachment()->set_state(states[next]);
      response.mutable_attachment()->set_state_reason("the reason");
      if (next + 1 < states.size()) ++next;
      return grpc::Status::OK;
    };
  }
};

TEST_F(WaitCommandTest, ItEndsWhenTheVolumeIsAttached) {
  AnswerWithStates({v1::Attachment::STATE_WAITING, v1::Attachment::STATE_WAITING, v1::Attachment::STATE_ACTIVE});
  const Result result = Run({"wait", kVolume});
  EXPECT_EQ(result.status, 0);
  EXPECT_EQ(result.out, SomeAttachment().device_path() + "\n");
  ASSERT_THAT(agent_.volumes.get.requests, SizeIs(3));
  EXPECT_EQ(agent_.volumes.get.requests[2].volume_id(), kVolume);
}

TEST_F(WaitCommandTest, ItSaysWhyTheVolumeWaitsStill) {
  AnswerWithStates({v1::Attachment::STATE_WAITING});
  const Result result = Run({"wait", kVolume, "--timeout", "2s"});
  EXPECT_EQ(result.status, 8);
  EXPECT_EQ(result.out, "");
  EXPECT_THAT(result.err, HasSubstr("waits still: the reason"));
}

TEST_F(WaitCommandTest, VolumeThatNobodyIsToAttachIsNotWaitedFor) {
  agent_.volumes.get.FailWith(AgentError(grpc::StatusCode::NOT_FOUND, "NOT_ATTACHED", "it is not attached"));
  const Result result = Run({"wait", kVolume});
  EXPECT_EQ(result.status, 4);
  EXPECT_THAT(agent_.volumes.get.requests, SizeIs(1));
}

TEST_F(WaitCommandTest, AnAgentThatIsRestartedIsWaitedFor) {
  agent_.volumes.get.answer = [calls = 0](grpc::ServerContext&, const v1::GetAttachmentRequest&,
                                          v1::GetAttachmentResponse& response) mutable {
    if (++calls == 1) return AgentError(grpc::StatusCode::UNAVAILABLE, "DRAINING", "it ends");
    *response.mutable_attachment() = SomeAttachment();
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"wait", kVolume, "-ojson"}).Json()["attachment"]["state"], "STATE_ACTIVE");
}

TEST_F(WaitCommandTest, VolumeThatIsAttachedButOfNoUseIsAFailure) {
  for (const auto state :
       {v1::Attachment::STATE_BROKEN, v1::Attachment::STATE_SUSPENDED, v1::Attachment::STATE_DETACHING}) {
    AnswerWithStates({v1::Attachment::STATE_WAITING, state});
    const Result result = Run({"wait", kVolume});
    EXPECT_EQ(result.status, 6);
    EXPECT_THAT(result.err, HasSubstr(": the reason"));
  }
  EXPECT_THAT(Run({"wait", kVolume}).err, HasSubstr("is attached but detaching"));
}

TEST_F(WaitCommandTest, AnAgentThatAnswersNoMoreIsWaitedForNoLongerThanWasSaid) {
  agent_.volumes.get.answer = [calls = 0](grpc::ServerContext& context, const v1::GetAttachmentRequest&,
                                          v1::GetAttachmentResponse& response) mutable {
    if (++calls > 1) {
      while (!context.IsCancelled()) absl::SleepFor(absl::Milliseconds(10));
    }
    *response.mutable_attachment() = SomeAttachment();
    response.mutable_attachment()->set_state(v1::Attachment::STATE_WAITING);
    response.mutable_attachment()->set_state_reason("the reason");
    return grpc::Status::OK;
  };
  const Result result = Run({"wait", kVolume, "--timeout", "2s"});
  EXPECT_EQ(result.status, 8);
  EXPECT_THAT(result.err, HasSubstr("waits still: the reason"));
}

}  // namespace
}  // namespace volcrypt::ctl
