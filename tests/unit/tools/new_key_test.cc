#include <chrono>
#include <thread>

#include "tests/unit/tools/cli_test.h"

namespace volcrypt::ctl {
namespace {

using testing::HasSubstr;
using testing::Not;

// attach --new-key: what becomes of the key, whatever the agent answers.
class NewKeyTest : public CliTest {
 protected:
  void SetUp() override {
    CliTest::SetUp();
    v1::CreateKeyResponse created;
    created.mutable_key()->set_key_manager("local");
    created.mutable_key()->set_key_id("k9");
    agent_.keys.create.AnswerWith(created);
    *response_.mutable_attachment() = SomeAttachment();
    response_.set_formatted(true);
    agent_.volumes.attach.AnswerWith(response_);
  }

  Result Attach(const std::vector<std::string>& more = {}) {
    std::vector<std::string> args = {"attach", kVolume, "/dev/sdb", "--new-key"};
    args.insert(args.end(), more.begin(), more.end());
    return Run(args);
  }

  v1::AttachVolumeResponse response_;
};

TEST_F(NewKeyTest, KeyIsMadeForTheVolumeAndUsed) {
  const Result result = Attach();
  EXPECT_EQ(result.status, 0);
  ASSERT_EQ(agent_.keys.create.requests.size(), 1U);
  EXPECT_EQ(agent_.keys.create.requests[0].name(), "volume " + std::string(kVolume));
  EXPECT_EQ(agent_.keys.create.requests[0].key_manager(), "");
  ASSERT_EQ(agent_.volumes.attach.requests.size(), 1U);
  EXPECT_EQ(agent_.volumes.attach.requests[0].key().key_manager(), "local");
  EXPECT_EQ(agent_.volumes.attach.requests[0].key().key_id(), "k9");
  EXPECT_TRUE(agent_.keys.remove.requests.empty());
  EXPECT_THAT(result.out, HasSubstr("local:k9\n"));
}

TEST_F(NewKeyTest, KeyManagerCanBeChosen) {
  ASSERT_EQ(Attach({"--key-manager", "barbican"}).status, 0);
  EXPECT_EQ(agent_.keys.create.requests[0].key_manager(), "barbican");
}

TEST_F(NewKeyTest, KeyIsNamedOnStderrBeforeTheVolumeIsTouched) {
  bool named = false;
  agent_.volumes.attach.answer = [&](grpc::ServerContext&, const v1::AttachVolumeRequest&, v1::AttachVolumeResponse&) {
    named = err_.text() == "volcryptctl: made key local:k9\n";
    return grpc::Status::OK;
  };
  EXPECT_EQ(Attach({"-q"}).status, 0);
  EXPECT_TRUE(named);
}

TEST_F(NewKeyTest, JsonNamesTheKey) {
  const nlohmann::ordered_json json = Attach({"-o", "json"}).Json();
  EXPECT_EQ(json["new_key"]["key_manager"], "local");
  EXPECT_EQ(json["new_key"]["key_id"], "k9");
  EXPECT_EQ(json["formatted"], true);
}

TEST_F(NewKeyTest, EveryCertainRefusalDeletesTheKeyUnforced) {
  const std::vector<std::pair<grpc::StatusCode, std::string>> refusals = {
      {grpc::FAILED_PRECONDITION, "DEVICE_NOT_BLANK"},
      {grpc::INVALID_ARGUMENT, "DEVICE_NOT_ALLOWED"},
      {grpc::NOT_FOUND, "DEVICE_NOT_FOUND"},
      {grpc::ALREADY_EXISTS, "ATTACHED_DIFFERENTLY"},
      {grpc::PERMISSION_DENIED, "CALLER_NOT_ALLOWED"}};
  const std::vector<int> statuses = {6, 1, 4, 5, 9};
  for (size_t i = 0; i < refusals.size(); ++i) {
    agent_.volumes.attach.FailWith(AgentError(refusals[i].first, refusals[i].second, "no"));
    agent_.keys.remove.requests.clear();
    const Result result = Attach();
    EXPECT_EQ(result.status, statuses[i]) << refusals[i].second;
    ASSERT_EQ(agent_.keys.remove.requests.size(), 1U) << refusals[i].second;
    EXPECT_EQ(agent_.keys.remove.requests[0].key().key_manager(), "local");
    EXPECT_EQ(agent_.keys.remove.requests[0].key().key_id(), "k9");
    EXPECT_FALSE(agent_.keys.remove.requests[0].force());
    EXPECT_THAT(result.err, HasSubstr("no; the new key local:k9 was deleted again (" + refusals[i].second + ")\n"));
  }
}

TEST_F(NewKeyTest, EveryUnclearOutcomeKeepsTheKeyAndSaysHowToGoOn) {
  const std::vector<grpc::Status> outcomes = {AgentError(grpc::DEADLINE_EXCEEDED, "DEVICE_TIMED_OUT", "no"),
                                              AgentError(grpc::UNAVAILABLE, "DEVICE_IO_ERROR", "no"),
                                              AgentError(grpc::ABORTED, "OPERATION_IN_PROGRESS", "no"),
                                              AgentError(grpc::INTERNAL, "WORKER_FAILED", "no"),
                                              AgentError(grpc::RESOURCE_EXHAUSTED, "OUT_OF_MEMORY", "no"),
                                              AgentError(grpc::UNAUTHENTICATED, "CALLER_TOKEN_REJECTED", "no"),
                                              grpc::Status(grpc::UNAVAILABLE, "Socket closed"),
                                              grpc::Status(grpc::UNKNOWN, "what")};
  for (const grpc::Status& outcome : outcomes) {
    agent_.volumes.attach.FailWith(outcome);
    const Result result = Attach({"-o", "json"});
    EXPECT_NE(result.status, 0);
    EXPECT_THAT(result.err, HasSubstr("the new key local:k9 was kept")) << outcome.error_code();
    EXPECT_THAT(result.err, HasSubstr("try again with --key local:k9"));
    EXPECT_EQ(result.ErrorJson()["error"]["metadata"]["new_key"], "local:k9");
  }
  EXPECT_TRUE(agent_.keys.remove.requests.empty());
}

TEST_F(NewKeyTest, TimeoutKeepsTheKey) {
  agent_.volumes.attach.answer = [](grpc::ServerContext& context, const v1::AttachVolumeRequest&,
                                    v1::AttachVolumeResponse&) {
    while (!context.IsCancelled()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return grpc::Status::OK;
  };
  const Result result = Attach({"--timeout", "3s"});
  EXPECT_EQ(result.status, 8);
  EXPECT_THAT(result.err, HasSubstr("no answer from volcryptd within 3s"));
  EXPECT_THAT(result.err, HasSubstr("the new key local:k9 was kept"));
  EXPECT_TRUE(agent_.keys.remove.requests.empty());
}

TEST_F(NewKeyTest, InterruptCancelsTheCallAndKeepsTheKey) {
  bool cancelled = false;
  agent_.volumes.attach.answer = [&](grpc::ServerContext& context, const v1::AttachVolumeRequest&,
                                     v1::AttachVolumeResponse&) {
    interrupt_.Trigger();
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!context.IsCancelled() && std::chrono::steady_clock::now() < end) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    cancelled = context.IsCancelled();
    return grpc::Status::OK;
  };
  const Result result = Attach();
  EXPECT_EQ(result.status, 8);
  EXPECT_THAT(result.err, HasSubstr("interrupted"));
  EXPECT_THAT(result.err, HasSubstr("the new key local:k9 was kept"));
  EXPECT_TRUE(agent_.keys.remove.requests.empty());
  // The handler may still be running here; the server's shutdown waits for it.
  agent_.Stop();
  EXPECT_TRUE(cancelled);
}

TEST_F(NewKeyTest, InterruptDoesNotStopTheCleaningUp) {
  agent_.volumes.attach.FailWith(AgentError(grpc::FAILED_PRECONDITION, "DEVICE_NOT_BLANK", "no"));
  agent_.keys.remove.answer = [&](grpc::ServerContext&, const v1::DeleteKeyRequest&, v1::DeleteKeyResponse&) {
    interrupt_.Trigger();
    return grpc::Status::OK;
  };
  EXPECT_THAT(Attach().err, HasSubstr("the new key local:k9 was deleted again"));
}

TEST_F(NewKeyTest, AlreadyAttachedSucceedsAndDeletesTheKey) {
  response_.set_formatted(false);
  response_.set_already_attached(true);
  agent_.volumes.attach.AnswerWith(response_);
  const Result result = Attach({"-o", "json"});
  EXPECT_EQ(result.status, 0);
  ASSERT_EQ(agent_.keys.remove.requests.size(), 1U);
  EXPECT_FALSE(agent_.keys.remove.requests[0].force());
  EXPECT_THAT(result.err, HasSubstr("attached already; the new key local:k9 was deleted again"));
  EXPECT_FALSE(result.Json().contains("new_key"));
}

TEST_F(NewKeyTest, KeyThatFormattedAVolumeIsKept) {
  agent_.volumes.attach.FailWith(AgentError(grpc::FAILED_PRECONDITION, "KERNEL_UNSUPPORTED", "no"));
  agent_.keys.remove.FailWith(AgentError(grpc::FAILED_PRECONDITION, "KEY_IN_USE", "in use"));
  const Result result = Attach({"-o", "json"});
  EXPECT_EQ(result.status, 6);
  EXPECT_THAT(result.err,
              HasSubstr("the new key local:k9 was kept, because it is recorded to have formatted a volume"));
  EXPECT_EQ(result.ErrorJson()["error"]["reason"], "KERNEL_UNSUPPORTED");
  EXPECT_EQ(result.ErrorJson()["error"]["metadata"]["new_key"], "local:k9");
}

TEST_F(NewKeyTest, KeyThatCannotBeDeletedIsNamed) {
  agent_.volumes.attach.FailWith(AgentError(grpc::NOT_FOUND, "DEVICE_NOT_FOUND", "no"));
  agent_.keys.remove.FailWith(AgentError(grpc::UNAVAILABLE, "KEY_MANAGER_UNAVAILABLE", "away"));
  const Result result = Attach();
  EXPECT_EQ(result.status, 4);
  EXPECT_THAT(result.err, HasSubstr("could not be deleted (away); do it with volcryptctl key delete local:k9"));
}

TEST_F(NewKeyTest, WithoutAKeyNothingIsAttached) {
  agent_.keys.create.FailWith(AgentError(grpc::INVALID_ARGUMENT, "UNKNOWN_KEY_MANAGER", "no such section"));
  const Result refused = Attach();
  EXPECT_EQ(refused.status, 1);
  EXPECT_THAT(refused.err, HasSubstr("no such section; no key was made (UNKNOWN_KEY_MANAGER)"));
  agent_.keys.create.FailWith(AgentError(grpc::DEADLINE_EXCEEDED, "KEY_MANAGER_TIMED_OUT", "slow"));
  EXPECT_THAT(Attach().err, HasSubstr("slow; a key named 'volume " + std::string(kVolume) + "' may have been made"));
  EXPECT_THAT(Attach({"--endpoint", "unix:" + directory_.Path("none")}).err, HasSubstr("; no key was made"));
  agent_.keys.create.AnswerWith(v1::CreateKeyResponse());
  EXPECT_EQ(Attach().status, 70);
  EXPECT_TRUE(agent_.volumes.attach.requests.empty());
}

}  // namespace
}  // namespace volcrypt::ctl
