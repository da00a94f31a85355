#include "tests/unit/tools/cli_test.h"

namespace volcrypt::ctl {
namespace {

using testing::HasSubstr;

class HelpTest : public CliTest {};

TEST_F(HelpTest, EveryCommandDescribesItselfWithAnExample) {
  const std::vector<std::vector<std::string>> commands = {
      {},         {"attach"},  {"detach"},        {"list"},        {"show"},        {"extend"},        {"inspect"},
      {"forget"}, {"key"},     {"key", "create"}, {"key", "show"}, {"key", "copy"}, {"key", "delete"}, {"key", "check"},
      {"health"}, {"version"}, {"maintenance"},   {"doctor"}};
  for (std::vector<std::string> args : commands) {
    std::string name = "volcryptctl";
    for (const std::string& word : args) name += " " + word;
    args.emplace_back("--help");
    const Result result = Run(args);
    EXPECT_EQ(result.status, 0) << name;
    EXPECT_EQ(result.err, "") << name;
    EXPECT_THAT(result.out, HasSubstr("Usage: " + name)) << name;
    EXPECT_THAT(result.out, HasSubstr("Example:\n  volcryptctl ")) << name;
    EXPECT_NE(result.out.front(), 'U') << name << " has no description";
  }
}

TEST_F(HelpTest, NoCommandPrintsHelpAndIsWrongUsage) {
  const Result result = Run({});
  EXPECT_EQ(result.status, 1);
  EXPECT_EQ(result.out, "");
  EXPECT_THAT(result.err, HasSubstr("Usage: volcryptctl [OPTIONS]"));
  EXPECT_EQ(Run({"-o", "json"}).status, 1);
}

TEST_F(HelpTest, UnknownCommandIsWrongUsage) {
  const Result result = Run({"atach", "v"});
  EXPECT_EQ(result.status, 1);
  EXPECT_THAT(result.err, HasSubstr("(USAGE)"));
}

TEST_F(HelpTest, OneCommandAtATime) { EXPECT_EQ(Run({"list", "health"}).status, 1); }

TEST_F(HelpTest, GlobalOptionsStandBeforeAndBehindTheCommand) {
  EXPECT_EQ(Run({"-o", "json", "list"}).out, Run({"list", "-o", "json"}).out);
  EXPECT_EQ(Run({"-o", "json", "list"}).out, Run({"list", "--output=json"}).out);
  const std::string nobody = "unix:" + directory_.Path("none");
  EXPECT_EQ(Run({"--endpoint", nobody, "key", "create"}).status, 7);
  EXPECT_EQ(Run({"key", "create", "--endpoint", nobody}).status, 7);
  EXPECT_EQ(Run({"key", "--endpoint", nobody, "create"}).status, 7);
}

TEST_F(HelpTest, EndpointOptionWinsOverTheEnvironment) {
  const std::string working = environment_.default_endpoint;
  environment_.default_endpoint = "unix:" + directory_.Path("none");
  EXPECT_EQ(Run({"list"}).status, 7);
  EXPECT_EQ(Run({"list", "--endpoint", working}).status, 0);
}

}  // namespace
}  // namespace volcrypt::ctl
