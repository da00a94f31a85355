#include "agent/spawn_helper.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "encryptors/unique_fd.h"
#include "tests/unit/eventually.h"
#include "tests/unit/rpc/in_child.h"
#include "tests/unit/temp_directory.h"

namespace volcrypt {
namespace {

bool SomebodyListens(const std::string& socket_path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  socket_path.copy(address.sun_path, sizeof address.sun_path - 1);
  const UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  return connect(fd.Get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

// A script in the helper's place says what it was given, and then what happens to it.
class SpawnHelperTest : public testing::Test {
 protected:
  SpawnHelperTest() {
    std::filesystem::permissions(directory_.Path(), std::filesystem::perms(0755));
    std::filesystem::create_directory(directory_.Path("run"));
    std::filesystem::permissions(directory_.Path("run"), std::filesystem::perms(01777));
    WriteScript("cd " + directory_.Path() + R"(
trap 'echo terminated >> events; exit 0' TERM
printf '%s\n' "$@" > arguments.new
ls -l /proc/$$/fd > descriptors
cut -d' ' -f6 /proc/$$/stat > session
mv arguments.new arguments
# Ends by itself with its directory, should a test fail.
while [ -e helper ]; do sleep 0.05; done
)");
  }

  void WriteScript(const std::string& body) const {
    directory_.Write("helper", "#!/bin/bash\n" + body);
    std::filesystem::permissions(directory_.Path("helper"), std::filesystem::perms(0755));
  }

  std::string Read(const std::string& name) const {
    std::ostringstream text;
    text << std::ifstream(directory_.Path(name)).rdbuf();
    return text.str();
  }

  bool HelperIsUp() const {
    return Eventually([this] { return std::filesystem::exists(directory_.Path("arguments")); });
  }

  SpawnOptions Options() const {
    return {.program = directory_.Path("helper"),
            .parent_directory = directory_.Path("run"),
            .peer = {.name = "somebody", .uid = 4001, .gid = 4002, .groups = {}},
            .state_dir = "/the state",
            .lock_dir = std::nullopt,
            .device_prefixes = {"/dev/", "/srv/volumes/"}};
  }

  static void End(const SpawnedHelper& helper) {
    kill(helper.Pid(), SIGTERM);
    waitpid(helper.Pid(), nullptr, 0);
  }

  TempDirectory directory_;
};

TEST_F(SpawnHelperTest, HelperIsToldEverything) {
  const absl::StatusOr<SpawnedHelper> helper = SpawnedHelper::Start(Options());
  ASSERT_TRUE(helper.ok()) << helper.status();
  ASSERT_TRUE(HelperIsUp());
  EXPECT_EQ(Read("arguments"),
            "--fd\n3\n--peer-uid\n4001\n--state\n/the state\n--device-prefix\n/dev/\n--device-prefix\n/srv/volumes/\n");
  End(*helper);
}

TEST_F(SpawnHelperTest, HelperHasItsOwnSessionAndNoOtherDescriptors) {
  const absl::StatusOr<SpawnedHelper> helper = SpawnedHelper::Start(Options());
  ASSERT_TRUE(helper.ok()) << helper.status();
  ASSERT_TRUE(HelperIsUp());
  EXPECT_EQ(Read("session"), std::to_string(helper->Pid()) + "\n");
  const std::string descriptors = Read("descriptors");
  EXPECT_NE(descriptors.find(" 0 -> /dev/null"), std::string::npos) << descriptors;
  EXPECT_NE(descriptors.find(" 3 -> socket:"), std::string::npos) << descriptors;
  EXPECT_NE(descriptors.find(" 4 -> pipe:"), std::string::npos) << descriptors;
  // With standard output and error, and 255 from which bash reads its script.
  EXPECT_EQ(std::ranges::count(descriptors, '>'), 6) << descriptors;
  End(*helper);
}

TEST_F(SpawnHelperTest, SocketIsReachableForThePeerAlone) {
  const absl::StatusOr<SpawnedHelper> helper = SpawnedHelper::Start(Options());
  ASSERT_TRUE(helper.ok()) << helper.status();
  struct stat status {};
  ASSERT_EQ(stat(helper->SocketPath().c_str(), &status), 0);
  EXPECT_EQ(status.st_uid, 4001U);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
  ASSERT_EQ(stat(std::filesystem::path(helper->SocketPath()).parent_path().c_str(), &status), 0);
  EXPECT_EQ(status.st_uid, 4001U);
  EXPECT_EQ(status.st_mode & 0777, 0700U);
  const std::string path = helper->SocketPath();
  const auto listens_for = [&path](uid_t uid) {
    return InChild([&] { return setuid(uid) == 0 && SomebodyListens(path) ? 0 : 1; }) == 0;
  };
  EXPECT_TRUE(listens_for(4001));
  EXPECT_FALSE(listens_for(4002));
  End(*helper);
}

TEST_F(SpawnHelperTest, NobodyListensOnceTheHelperHasEnded) {
  const absl::StatusOr<SpawnedHelper> helper = SpawnedHelper::Start(Options());
  ASSERT_TRUE(helper.ok()) << helper.status();
  ASSERT_TRUE(HelperIsUp());
  EXPECT_TRUE(SomebodyListens(helper->SocketPath()));
  End(*helper);
  EXPECT_FALSE(SomebodyListens(helper->SocketPath()));
}

TEST_F(SpawnHelperTest, SocketAndItsDirectoryGoWithTheAgent) {
  {
    const absl::StatusOr<SpawnedHelper> helper = SpawnedHelper::Start(Options());
    ASSERT_TRUE(helper.ok()) << helper.status();
    ASSERT_TRUE(HelperIsUp());
    End(*helper);
  }
  EXPECT_TRUE(std::filesystem::is_empty(directory_.Path("run")));
}

TEST_F(SpawnHelperTest, HelperIsToldToEndWhenTheAgentLetsGoOfIt) {
  pid_t pid = -1;
  {
    const absl::StatusOr<SpawnedHelper> helper = SpawnedHelper::Start(Options());
    ASSERT_TRUE(helper.ok()) << helper.status();
    ASSERT_TRUE(HelperIsUp());
    pid = helper->Pid();
  }
  EXPECT_EQ(waitpid(pid, nullptr, 0), pid);
  EXPECT_EQ(Read("events"), "terminated\n");
}

TEST_F(SpawnHelperTest, HelperIsToldToEndWhenTheAgentDies) {
  EXPECT_EQ(InChild([this] {
              const absl::StatusOr<SpawnedHelper> helper = SpawnedHelper::Start(Options());
              // As the user who could not signal it, and without any farewell.
              if (!helper.ok() || !HelperIsUp() || !BecomeAccount(Options().peer).ok()) return 1;
              kill(getpid(), SIGKILL);
              return 2;
            }),
            -1);
  EXPECT_TRUE(Eventually([this] { return Read("events") == "terminated\n"; }));
}

TEST_F(SpawnHelperTest, ProgramThatCannotStartIsAnErrorThatLeavesNothing) {
  SpawnOptions options = Options();
  options.program = directory_.Path("missing");
  const absl::StatusOr<SpawnedHelper> helper = SpawnedHelper::Start(options);
  ASSERT_FALSE(helper.ok());
  EXPECT_NE(helper.status().message().find("missing"), std::string::npos) << helper.status();
  EXPECT_TRUE(std::filesystem::is_empty(directory_.Path("run")));
}

TEST_F(SpawnHelperTest, DirectoryThatThePeerCannotWriteIsAnError) {
  std::filesystem::permissions(directory_.Path("run"), std::filesystem::perms(0755));
  const absl::StatusOr<SpawnedHelper> helper = SpawnedHelper::Start(Options());
  ASSERT_FALSE(helper.ok());
  EXPECT_NE(helper.status().message().find(directory_.Path("run")), std::string::npos) << helper.status();
}

class FindHelperProgramTest : public testing::Test {
 protected:
  ~FindHelperProgramTest() override { std::filesystem::remove(beside_); }

  const std::filesystem::path beside_ =
      std::filesystem::read_symlink("/proc/self/exe").parent_path() / "volcrypt-helper";
  const std::filesystem::path installed_ = std::filesystem::path(VOLCRYPT_LIBEXECDIR) / "volcrypt-helper";
};

TEST_F(FindHelperProgramTest, FindsTheOneBesideTheProgram) {
  std::ofstream(beside_) << "#!/bin/sh\n";
  std::filesystem::permissions(beside_, std::filesystem::perms(0755));
  const absl::StatusOr<std::string> program = FindHelperProgram();
  ASSERT_TRUE(program.ok()) << program.status();
  EXPECT_EQ(*program, beside_);
}

TEST_F(FindHelperProgramTest, FindsTheInstalledOneOrSaysWhereItLooked) {
  const absl::StatusOr<std::string> program = FindHelperProgram();
  if (access(installed_.c_str(), X_OK) == 0) {
    ASSERT_TRUE(program.ok()) << program.status();
    EXPECT_EQ(*program, installed_);
  } else {
    ASSERT_FALSE(program.ok()) << *program;
    EXPECT_NE(program.status().message().find(beside_.string()), std::string::npos) << program.status();
    EXPECT_NE(program.status().message().find(installed_.string()), std::string::npos) << program.status();
  }
}

}  // namespace
}  // namespace volcrypt
