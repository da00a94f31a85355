#include <cerrno>
#include <chrono>
#include <fstream>
#include <streambuf>
#include <thread>

#include "tests/unit/tools/cli_test.h"

namespace volcrypt::ctl {
namespace {

using testing::HasSubstr;
using testing::Not;

class ErrorsTest : public CliTest {
 protected:
  Result ShowWith(const grpc::Status& status, const std::vector<std::string>& more = {}) {
    agent_.volumes.get.FailWith(status);
    std::vector<std::string> args = {"show", "v"};
    args.insert(args.end(), more.begin(), more.end());
    return Run(args);
  }
};

TEST_F(ErrorsTest, MessageAndReasonAreOneLineOnStderr) {
  const Result result = ShowWith(AgentError(grpc::NOT_FOUND, "NOT_ATTACHED", "volume v is not attached"));
  EXPECT_EQ(result.status, 4);
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(result.err, "volcryptctl: volume v is not attached (NOT_ATTACHED)\n");
}

TEST_F(ErrorsTest, JsonErrorIsTheLastLineOfStderr) {
  const Result result =
      ShowWith(AgentError(grpc::NOT_FOUND, "NOT_ATTACHED", "not attached", {{"volume_id", "v"}}), {"-o", "json"});
  EXPECT_EQ(result.status, 4);
  EXPECT_EQ(result.out, "");
  EXPECT_THAT(result.err, HasSubstr("volcryptctl: not attached (NOT_ATTACHED)\n"));
  EXPECT_EQ(result.ErrorJson().dump(),
            R"({"schema":"volcrypt/v1","error":{"code":"NOT_FOUND","reason":"NOT_ATTACHED","message":"not attached",)"
            R"("metadata":{"volume_id":"v"}}})");
}

TEST_F(ErrorsTest, WrongUsageIsAJsonErrorToo) {
  for (const std::vector<std::string>& form :
       std::vector<std::vector<std::string>>{{"-o", "json"}, {"-ojson"}, {"--output", "json"}, {"--output=json"}}) {
    std::vector<std::string> args = form;
    args.insert(args.end(), {"list", "--nonsense"});
    const Result result = Run(args);
    EXPECT_EQ(result.status, 1);
    EXPECT_EQ(result.ErrorJson()["error"]["reason"], "USAGE") << form[0];
  }
}

TEST_F(ErrorsTest, WithoutAReasonTheCodeStandsForIt) {
  const Result result = ShowWith(grpc::Status(grpc::FAILED_PRECONDITION, "because"));
  EXPECT_EQ(result.status, 6);
  EXPECT_EQ(result.err, "volcryptctl: because (FAILED_PRECONDITION)\n");
  EXPECT_EQ(ShowWith(grpc::Status(grpc::PERMISSION_DENIED, "no")).status, 9);
}

TEST_F(ErrorsTest, ReasonOfAnotherDomainIsNotOurs) {
  google::rpc::ErrorInfo info;
  info.set_reason("KEY_REJECTED");
  info.set_domain("example.org");
  google::rpc::Status details;
  details.add_details()->PackFrom(info);
  const Result result = ShowWith(grpc::Status(grpc::ABORTED, "proxy", details.SerializeAsString()));
  EXPECT_EQ(result.status, 7);
  EXPECT_EQ(result.err, "volcryptctl: proxy (ABORTED)\n");
}

TEST_F(ErrorsTest, GarbledDetailsLeaveCodeAndMessage) {
  const Result result = ShowWith(grpc::Status(grpc::NOT_FOUND, "gone", "\xff\xff\xff"));
  EXPECT_EQ(result.status, 4);
  EXPECT_EQ(result.err, "volcryptctl: gone (NOT_FOUND)\n");
}

TEST_F(ErrorsTest, MessageCannotSteerTheTerminal) {
  const Result result = ShowWith(AgentError(grpc::NOT_FOUND, "NOT_ATTACHED", "a\x1b]0;b\nc"), {"-o", "json"});
  EXPECT_THAT(result.err, HasSubstr("volcryptctl: a\\x1b]0;b\\x0ac (NOT_ATTACHED)\n"));
  EXPECT_EQ(result.err.find('\x1b'), std::string::npos);
  EXPECT_EQ(result.ErrorJson()["error"]["message"], "a\x1b]0;b\nc");
}

TEST_F(ErrorsTest, NobodyAtTheEndpointSaysWhereAndWhatToCheck) {
  const std::string nobody = "unix:" + directory_.Path("none.sock");
  const Result result = Run({"list", "--endpoint", nobody});
  EXPECT_EQ(result.status, 7);
  EXPECT_THAT(result.err, HasSubstr("nothing listens at " + nobody + " (No such file or directory)"));
  EXPECT_THAT(result.err, HasSubstr("is volcryptd running"));
  EXPECT_THAT(result.err, HasSubstr("(AGENT_UNREACHABLE)\n"));
}

TEST_F(ErrorsTest, DeadSocketSaysThatItRefuses) {
  agent_.Stop();
  std::ofstream(directory_.Path("agent.sock")).close();
  const Result result = Run({"list"});
  EXPECT_EQ(result.status, 7);
  EXPECT_THAT(result.err, HasSubstr("(Connection refused)"));
}

TEST_F(ErrorsTest, LostConnectionIsToldFromNoConnection) {
  const Result result = ShowWith(grpc::Status(grpc::UNAVAILABLE, "Socket closed"));
  EXPECT_EQ(result.status, 7);
  EXPECT_THAT(result.err, HasSubstr("was lost (Socket closed); the work may still finish"));
}

TEST_F(ErrorsTest, ForbiddenSocketIsACallerThatIsNotAllowed) {
  const absl::Status status = UnreachableError("unix:/run/x.sock", EACCES, "");
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(std::string(status.message()), HasSubstr("unix:/run/x.sock"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("[[access]]"));
}

TEST_F(ErrorsTest, NoAnswerInTimeIsExitStatusEight) {
  agent_.volumes.get.answer = [](grpc::ServerContext& context, const v1::GetAttachmentRequest&,
                                 v1::GetAttachmentResponse&) {
    while (!context.IsCancelled()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return grpc::Status::OK;
  };
  const Result result = Run({"show", "v", "--timeout=200ms"});
  EXPECT_EQ(result.status, 8);
  EXPECT_THAT(result.err, HasSubstr("within 200ms"));
}

TEST_F(ErrorsTest, OlderAgentIsNamedAsTheCause) {
  const Result result = ShowWith(grpc::Status(grpc::UNIMPLEMENTED, ""));
  EXPECT_EQ(result.status, 70);
  EXPECT_THAT(result.err, HasSubstr("volcryptctl version (UNIMPLEMENTED)"));
}

TEST_F(ErrorsTest, TimeoutMustBeATimeWithinReason) {
  for (const char* timeout : {"0s", "-1s", "60", "soon", "25h", "inf"}) {
    EXPECT_EQ(Run({"list", "--timeout", timeout}).status, 1) << timeout;
  }
  EXPECT_EQ(Run({"list", "--timeout", "2m"}).status, 0);
}

TEST_F(ErrorsTest, EndpointMustBeAUnixSocket) {
  for (const std::string& endpoint : {std::string("tcp:localhost:1"), std::string("/run/x"), std::string("unix:"),
                                      "unix:/" + std::string(200, 'x')}) {
    const Result result = Run({"list", "--endpoint", endpoint});
    EXPECT_EQ(result.status, 1) << endpoint;
    EXPECT_THAT(result.err, HasSubstr("(USAGE)"));
  }
}

// A disk that is full.
class FullBuffer : public std::streambuf {};

TEST_F(ErrorsTest, OutputThatCannotBeWrittenIsAnError) {
  agent_.volumes.list.AnswerWith(v1::ListAttachmentsResponse());
  FullBuffer full;
  std::ostream out(&full);
  std::ostringstream err;
  EXPECT_EQ(RunVolcryptctl({"list", "-o", "json"}, out, err, environment_), 70);
  EXPECT_THAT(err.str(), HasSubstr("could not be written"));
}

}  // namespace
}  // namespace volcrypt::ctl
