#include "tests/unit/tools/cli_test.h"

namespace volcrypt::ctl {
namespace {

class KeyCheckTest : public CliTest {
 protected:
  // The steps before the one that fails have passed.
  void FailAt(const std::string& failing, const std::string& detail, const std::string& remedy,
              const std::string& reason = "KEY_MANAGER_UNAVAILABLE") {
    v1::CheckKeyManagerResponse response;
    for (const std::string name : {"resolve", "connect", "tls", "authenticate", "catalog", "read", "create"}) {
      v1::CheckKeyManagerResponse::Step& step = *response.add_steps();
      step.set_name(name);
      step.set_passed(name != failing);
      step.set_detail(name == failing ? detail : "fine");
      if (name == failing) step.set_remedy(remedy);
      if (name == failing) step.set_reason(reason);
      if (name == failing) break;
    }
    agent_.keys.check.AnswerWith(response);
  }
};

TEST_F(KeyCheckTest, PassedStepsAreATableAndStatusZero) {
  FailAt("", "", "");
  const Result result = Run({"key", "check", "barbican"});
  EXPECT_EQ(result.status, 0);
  EXPECT_EQ(result.err, "");
  EXPECT_EQ(result.out,
            "STEP          RESULT  DETAIL\n"
            "resolve       passed  fine\n"
            "connect       passed  fine\n"
            "tls           passed  fine\n"
            "authenticate  passed  fine\n"
            "catalog       passed  fine\n"
            "read          passed  fine\n"
            "create        passed  fine\n");
  EXPECT_EQ(agent_.keys.check.requests[0].key_manager(), "barbican");
  EXPECT_EQ(Run({"key", "check"}).status, 0);
  EXPECT_EQ(agent_.keys.check.requests[1].key_manager(), "");
}

TEST_F(KeyCheckTest, FailedStepSaysWhatToDo) {
  FailAt("connect", "refused\x1b[2J", "start it");
  const Result result = Run({"key", "check", "barbican"});
  EXPECT_EQ(result.status, 7);
  EXPECT_EQ(result.out,
            "STEP     RESULT  DETAIL\n"
            "resolve  passed  fine\n"
            "connect  FAILED  refused\\x1b[2J\n"
            "What to do at connect: start it\n");
  EXPECT_EQ(result.err, "volcryptctl: key manager barbican fails at the step connect (KEY_MANAGER_UNAVAILABLE)\n");
}

TEST_F(KeyCheckTest, StatusTellsWhetherSomebodyIsAwayOrSlowOrSaysNoAtWhateverStep) {
  const std::vector<std::pair<std::string, int>> cases = {
      {"KEY_MANAGER_UNAVAILABLE", 7}, {"KEY_MANAGER_TIMED_OUT", 8}, {"KEY_ACCESS_DENIED", 2}, {"KEY_UNFIT", 2}, {"", 7},
      {"FROM_THE_FUTURE", 6}};
  for (const auto& [reason, status] : cases) {
    for (const char* const step : {"connect", "authenticate", "read", "create"}) {
      FailAt(step, "no", "", reason);
      EXPECT_EQ(Run({"key", "check"}).status, status) << reason << " at " << step;
    }
  }
}

TEST_F(KeyCheckTest, JsonHasEveryStepAlsoWhenOneFailed) {
  FailAt("authenticate", "401", "set the password", "KEY_ACCESS_DENIED");
  const Result result = Run({"key", "check", "-o", "json"});
  EXPECT_EQ(result.status, 2);
  EXPECT_EQ(result.Json()["steps"].size(), 4U);
  EXPECT_EQ(result.Json()["steps"][3].dump(),
            R"({"name":"authenticate","passed":false,"detail":"401","remedy":"set the password",)"
            R"("reason":"KEY_ACCESS_DENIED"})");
  EXPECT_EQ(result.ErrorJson()["error"]["reason"], "KEY_ACCESS_DENIED");
}

TEST_F(KeyCheckTest, WarningSaysWhatToDoAndIsNoFailure) {
  v1::CheckKeyManagerResponse response;
  v1::CheckKeyManagerResponse::Step& step = *response.add_steps();
  step.set_name("connect");
  step.set_passed(true);
  step.set_detail("kmip1 is away");
  step.set_remedy("start it");
  agent_.keys.check.AnswerWith(response);
  const Result result = Run({"key", "check"});
  EXPECT_EQ(result.status, 0);
  EXPECT_EQ(result.out,
            "STEP     RESULT   DETAIL\n"
            "connect  WARNING  kmip1 is away\n"
            "What to do at connect: start it\n");
  EXPECT_EQ(Run({"key", "check", "-q"}).out, "passed\n");
}

TEST_F(KeyCheckTest, QuietIsTheStepThatFailed) {
  FailAt("tls", "no", "");
  EXPECT_EQ(Run({"key", "check", "-q"}).out, "tls\n");
  FailAt("", "", "");
  EXPECT_EQ(Run({"key", "check", "-q"}).out, "passed\n");
}

}  // namespace
}  // namespace volcrypt::ctl
