#include "agent/helper_probe.h"

#include <gtest/gtest.h>

#include "absl/time/clock.h"
#include "encryptors/reason.h"
#include "tests/fakes/fake_encryptor.h"
#include "tests/unit/agent/outcome.h"

namespace volcrypt {
namespace {

class HelperProbeTest : public testing::Test {
 protected:
  std::string Probe() { return Outcome(ProbeHelper(helper_, absl::Now() + absl::Seconds(30))); }
  std::string ProbeAnswered(Reason reason) {
    helper_.on_query = [reason](const std::string&) { return MakeError(reason, "on purpose"); };
    return Probe();
  }

  FakeEncryptor helper_;
};

TEST_F(HelperProbeTest, WorkerThatAnswersIsEnough) {
  EXPECT_EQ(Probe(), "OK");
  helper_.on_query = [](const std::string&) { return Mapping{}; };
  EXPECT_EQ(Probe(), "OK");
  for (const Reason reason : {Reason::kKernelUnsupported, Reason::kDeviceIoError, Reason::kTooManyOperations}) {
    EXPECT_EQ(ProbeAnswered(reason), "OK") << Name(reason);
  }
}

TEST_F(HelperProbeTest, NoAnswerIsTheError) {
  for (const Reason reason : {Reason::kHelperUnavailable, Reason::kDeviceTimedOut, Reason::kWorkerFailed}) {
    EXPECT_EQ(ProbeAnswered(reason), Name(reason));
  }
}

TEST_F(HelperProbeTest, NothingButAQuestionIsAsked) {
  Probe();
  EXPECT_EQ(helper_.calls, std::vector<std::string>({"query volcrypt.probe"}));
}

}  // namespace
}  // namespace volcrypt
