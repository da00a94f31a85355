#include "agent/command_line.h"

#include <gtest/gtest.h>

#include <vector>

namespace volcrypt {
namespace {

std::variant<CommandLine, ExitStatus> Parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "volcryptd");
  return ParseCommandLine(static_cast<int>(arguments.size()), arguments.data());
}

TEST(CommandLine, DefaultsAreThoseOfThePackage) {
  const CommandLine line = std::get<CommandLine>(Parse({}));
  EXPECT_EQ(line.config_path, "/etc/volcrypt/volcryptd.toml");
  EXPECT_FALSE(line.config_named);
  EXPECT_FALSE(line.check_config);
  EXPECT_FALSE(line.spawn_helper);
  EXPECT_EQ(line.helper_socket, "/run/volcrypt-helper/helper.sock");
  EXPECT_FALSE(line.helper_state.has_value());
}

TEST(CommandLine, ConfigurationThatIsNamedMustExistEvenIfItIsTheDefault) {
  EXPECT_TRUE(std::get<CommandLine>(Parse({"--config", "/etc/volcrypt/volcryptd.toml"})).config_named);
}

TEST(CommandLine, OptionsOfTheHelperArrive) {
  const CommandLine line =
      std::get<CommandLine>(Parse({"--spawn-helper", "--state", "/s", "--lock-dir", "/l", "--check-config"}));
  EXPECT_TRUE(line.spawn_helper);
  EXPECT_TRUE(line.check_config);
  EXPECT_EQ(line.helper_state, "/s");
  EXPECT_EQ(line.helper_lock_dir, "/l");
  EXPECT_EQ(std::get<CommandLine>(Parse({"--helper-socket", "/h"})).helper_socket, "/h");
}

TEST(CommandLine, HelpAndVersionEndWell) {
  testing::internal::CaptureStdout();
  EXPECT_EQ(std::get<ExitStatus>(Parse({"--help"})).status, 0);
  EXPECT_NE(testing::internal::GetCapturedStdout().find("Examples:"), std::string::npos);
  testing::internal::CaptureStdout();
  EXPECT_EQ(std::get<ExitStatus>(Parse({"--version"})).status, 0);
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "volcryptd " VOLCRYPT_VERSION "\n");
}

TEST(CommandLine, WrongUsageEndsWithAMessage) {
  const std::vector<std::vector<const char*>> cases = {
      {"--nonsense"}, {"file"}, {"--config"}, {"--state", "/s"}, {"--spawn-helper", "--helper-socket", "/h"}};
  for (const std::vector<const char*>& arguments : cases) {
    testing::internal::CaptureStderr();
    EXPECT_EQ(std::get<ExitStatus>(Parse(arguments)).status, 2) << arguments.front();
    EXPECT_NE(testing::internal::GetCapturedStderr(), "");
  }
}

}  // namespace
}  // namespace volcrypt
