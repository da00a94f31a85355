#include "encryptors/helper_command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "tests/unit/temp_directory.h"

namespace volcrypt {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

absl::StatusOr<HelperCommandLine> Parse(std::vector<std::string> arguments,
                                        const std::string& passwd_file = "/dev/null") {
  arguments.insert(arguments.begin(), "volcrypt-helper");
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  return ParseHelperCommandLine(static_cast<int>(arguments.size()), argv.data(), passwd_file);
}

TEST(HelperCommandLine, DefaultsAreThoseOfAnInstalledHelper) {
  const absl::StatusOr<HelperCommandLine> parsed = Parse({});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->socket_path, "");
  EXPECT_EQ(parsed->fd, std::nullopt);
  EXPECT_EQ(parsed->peer_uid, 0U);
  EXPECT_EQ(parsed->state_dir, "/var/lib/volcrypt-helper");
  EXPECT_EQ(parsed->lock_dir, "/run/volcrypt-helper/locks");
  EXPECT_THAT(parsed->device_prefixes, ElementsAre("/dev/"));
}

TEST(HelperCommandLine, EveryOptionIsTaken) {
  const absl::StatusOr<HelperCommandLine> parsed =
      Parse({"--socket", "/run/s", "--peer-uid=105", "--state", "/s/", "--lock-dir", "/l", "--device-prefix", "/dev",
             "--device-prefix", "/srv/volumes/", "--device-prefix", "/"});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->socket_path, "/run/s");
  EXPECT_EQ(parsed->peer_uid, 105U);
  EXPECT_EQ(parsed->state_dir, "/s");
  EXPECT_EQ(parsed->lock_dir, "/l");
  EXPECT_THAT(parsed->device_prefixes, ElementsAre("/dev/", "/srv/volumes/", "/"));
  EXPECT_EQ(Parse({"--fd", "3"})->fd, 3);
  EXPECT_TRUE(Parse({"--help"})->help);
  EXPECT_TRUE(Parse({"--version"})->version);
}

TEST(HelperCommandLine, PeerCanBeNamed) {
  const TempDirectory directory;
  std::ofstream(directory.Path("passwd")) << "root:x:0:0::/root:/bin/sh\nvolcrypt:x:998:997::/:/usr/sbin/nologin\n";
  EXPECT_EQ(Parse({"--peer-uid", "volcrypt"}, directory.Path("passwd"))->peer_uid, 998U);
  const absl::Status unknown = Parse({"--peer-uid", "nova"}, directory.Path("passwd")).status();
  EXPECT_THAT(std::string(unknown.message()), HasSubstr("nova"));
}

TEST(HelperCommandLine, MistakesAreNamed) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> mistakes = {
      {{"--sockets", "/s"}, "--sockets"},
      {{"-x"}, "-x"},
      {{"--socket"}, "--socket"},
      {{"--fd", "three"}, "--fd"},
      {{"--fd", "-1"}, "--fd"},
      {{"--peer-uid", "4294967295"}, "--peer-uid"},
      {{"--peer-uid", "-1"}, "--peer-uid"},
      {{"--peer-uid", ""}, "--peer-uid"},
      {{"--socket", "relative"}, "--socket"},
      {{"--state", "relative"}, "--state"},
      {{"--lock-dir", ""}, "--lock-dir"},
      {{"--device-prefix", "dev"}, "--device-prefix"},
      {{"--help=yes"}, "--help"},
      {{"--fd", "3", "surplus"}, "surplus"},
      {{"--fd", "3", "--socket", "/s"}, "exclude"},
  };
  for (const auto& [arguments, named] : mistakes) {
    const absl::Status status = Parse(arguments).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << arguments[0];
    EXPECT_THAT(std::string(status.message()), HasSubstr(named));
  }
}

TEST(HelperCommandLine, UsageTellsEveryOption) {
  for (const char* const option :
       {"--socket", "--fd", "--peer-uid", "--state", "--lock-dir", "--device-prefix", "--help", "--version"}) {
    EXPECT_THAT(HelperUsage(), HasSubstr(option));
  }
}

}  // namespace
}  // namespace volcrypt
