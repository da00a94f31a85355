// The installed program itself: start-up, its protections and its end. What its workers do needs device-mapper and is
// tested on the node.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <vector>

#include "agent/helper_client.h"
#include "child_process.h"
#include "encryptors/listening_socket.h"
#include "encryptors/reason.h"
#include "helper_process.h"
#include "tests/unit/temp_directory.h"

namespace volcrypt {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

constexpr gid_t kTellTaleGroup = 12345;

absl::Time Later() { return absl::Now() + absl::Seconds(30); }

std::string Contents(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

class HelperProgram : public testing::Test {
 protected:
  ~HelperProgram() override {
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
  }

  void Start(
      std::vector<std::string> arguments, const std::function<void()>& before_exec = [] {}) {
    pid_ = fork();
    if (pid_ != 0) return;
    if (freopen(directory_.Path("out").c_str(), "w", stdout) == nullptr ||
        freopen(directory_.Path("err").c_str(), "w", stderr) == nullptr) {
      _exit(98);
    }
    before_exec();
    arguments.insert(arguments.begin(), "volcrypt-helper");
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    execv(program_.c_str(), argv.data());
    _exit(99);
  }

  std::vector<std::string> Directories() const {
    return {"--state", directory_.Path("state"), "--lock-dir", directory_.Path("run/locks")};
  }
  std::vector<std::string> WithSocket() const {
    std::vector<std::string> arguments = Directories();
    arguments.insert(arguments.end(), {"--socket", directory_.Path("s")});
    return arguments;
  }

  // A query that any helper answers: without device-mapper the answer is an error of the worker's, which will do.
  bool Answers() {
    const absl::Status status = HelperClient(directory_.Path("s")).Query("vol-1", Later()).status();
    return !HasReason(status, Reason::kHelperUnavailable);
  }

  int WaitForEnd() {
    int status = -1;
    if (!Eventually([&] { return waitpid(pid_, &status, WNOHANG) == pid_; })) return -1;
    pid_ = -1;
    return status;
  }

  std::string Output() const { return Contents(directory_.Path("out")); }
  std::string Errors() const { return Contents(directory_.Path("err")); }

  TempDirectory directory_;
  std::string program_ = VOLCRYPT_HELPER;
  pid_t pid_ = -1;
};

TEST_F(HelperProgram, ServesAtItsSocketAndEndsCleanly) {
  Start(WithSocket());
  ASSERT_TRUE(Eventually([&] { return Answers(); })) << Errors();
  kill(pid_, SIGTERM);
  EXPECT_TRUE(ExitedWith(WaitForEnd(), 0));
  EXPECT_NE(access(directory_.Path("s").c_str(), F_OK), 0);
  EXPECT_THAT(Output(), IsEmpty());
  EXPECT_THAT(Errors(), IsEmpty());
}

TEST_F(HelperProgram, WritesNothingAboutMalformedRequests) {
  Start(WithSocket());
  ASSERT_TRUE(Eventually([&] { return Answers(); })) << Errors();
  const absl::Status status = HelperClient(directory_.Path("s")).Inspect("/not/utf-8/\xE4", Later()).status();
  EXPECT_EQ(ReasonOf(status), Reason::kInvalidField) << status;
  EXPECT_THAT(Errors(), IsEmpty());
}

TEST_F(HelperProgram, MakesItsDirectoriesForRootAlone) {
  Start(WithSocket());
  ASSERT_TRUE(Eventually([&] { return Answers(); })) << Errors();
  for (const char* const name : {"state", "run/locks"}) {
    struct stat found = {};
    ASSERT_EQ(stat(directory_.Path(name).c_str(), &found), 0) << name;
    EXPECT_EQ(found.st_mode, static_cast<mode_t>(S_IFDIR | 0700)) << name;
  }
}

TEST_F(HelperProgram, HasNoCoreFilesAndIsNotDumpable) {
  // The files of a process that is not dumpable belong to root's group whatever its own is. All three ids: with
  // different ones the kernel itself makes the process not dumpable.
  Start(WithSocket(), [] {
    if (setresgid(kTellTaleGroup, kTellTaleGroup, kTellTaleGroup) != 0) _exit(97);
  });
  ASSERT_TRUE(Eventually([&] { return Answers(); })) << Errors();
  const std::string proc = "/proc/" + std::to_string(pid_);
  EXPECT_THAT(Contents(proc + "/limits"), testing::ContainsRegex("Max core file size +0 +0 "));
  EXPECT_THAT(Contents(proc + "/status"), HasSubstr("Umask:\t0077"));
  struct stat found = {};
  ASSERT_EQ(stat((proc + "/status").c_str(), &found), 0);
  EXPECT_EQ(found.st_gid, 0U);
}

TEST_F(HelperProgram, ServesAtAnInheritedSocket) {
  const absl::StatusOr<ListeningSocket> listener = ListeningSocket::Create(directory_.Path("s"), 0);
  ASSERT_TRUE(listener.ok()) << listener.status();
  const int inherited = dup(listener->Fd());  // not closed on exec
  std::vector<std::string> arguments = Directories();
  arguments.insert(arguments.end(), {"--fd", std::to_string(inherited)});
  Start(arguments);
  close(inherited);
  EXPECT_TRUE(Answers()) << Errors();
  kill(pid_, SIGTERM);
  EXPECT_TRUE(ExitedWith(WaitForEnd(), 0));
  EXPECT_EQ(access(directory_.Path("s").c_str(), F_OK), 0);
}

TEST_F(HelperProgram, ServesAtASocketThatSystemdPassed) {
  const absl::StatusOr<ListeningSocket> listener = ListeningSocket::Create(directory_.Path("s"), 0);
  ASSERT_TRUE(listener.ok()) << listener.status();
  Start(Directories(), [&] {
    if (dup2(listener->Fd(), 3) != 3 || fcntl(3, F_SETFD, 0) != 0) _exit(97);
    setenv("LISTEN_PID", std::to_string(getpid()).c_str(), 1);
    setenv("LISTEN_FDS", "1", 1);
  });
  EXPECT_TRUE(Answers()) << Errors();
}

TEST_F(HelperProgram, NowhereToListenIsAUsageError) {
  Start(Directories());
  EXPECT_TRUE(ExitedWith(WaitForEnd(), 2));
  EXPECT_THAT(Errors(), testing::AllOf(HasSubstr("--socket"), HasSubstr("--help")));
}

TEST_F(HelperProgram, UnknownOptionIsAUsageError) {
  Start({"--foreground"});
  EXPECT_TRUE(ExitedWith(WaitForEnd(), 2));
  EXPECT_THAT(Errors(), HasSubstr("--foreground"));
}

TEST_F(HelperProgram, StateThatOthersCanWriteIsRefused) {
  ASSERT_EQ(mkdir(directory_.Path("state").c_str(), 0700), 0);
  ASSERT_EQ(chmod(directory_.Path("state").c_str(), 0777), 0);
  Start(WithSocket());
  EXPECT_TRUE(ExitedWith(WaitForEnd(), 1));
  EXPECT_THAT(Errors(), HasSubstr(directory_.Path("state")));
  EXPECT_NE(access(directory_.Path("s").c_str(), F_OK), 0);
}

TEST_F(HelperProgram, WithoutRootItSaysSo) {
  // The build directory may be closed to others.
  program_ = directory_.Path("volcrypt-helper");
  std::filesystem::copy_file(VOLCRYPT_HELPER, program_);
  ASSERT_EQ(chmod(directory_.Path().c_str(), 0755), 0);
  ASSERT_EQ(chmod(program_.c_str(), 0755), 0);
  Start(WithSocket(), [] {
    if (setgroups(0, nullptr) != 0 || setgid(65534) != 0 || setuid(65534) != 0) _exit(97);
  });
  EXPECT_TRUE(ExitedWith(WaitForEnd(), 1));
  EXPECT_THAT(Errors(), HasSubstr("root"));
}

TEST_F(HelperProgram, HelpAndVersionGoToStandardOutput) {
  Start({"--help"});
  EXPECT_TRUE(ExitedWith(WaitForEnd(), 0));
  EXPECT_THAT(Output(), HasSubstr("usage: volcrypt-helper"));
  Start({"--version"});
  EXPECT_TRUE(ExitedWith(WaitForEnd(), 0));
  EXPECT_EQ(Output(), "volcrypt-helper " VOLCRYPT_VERSION "\n");
}

}  // namespace
}  // namespace volcrypt
