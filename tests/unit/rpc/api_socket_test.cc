#include "agent/rpc/api_socket.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <filesystem>

#include "tests/unit/rpc/rpc_fixture.h"

namespace volcrypt {
namespace {

class ApiSocketTest : public testing::Test {
 protected:
  bool Connects() const { return ConnectAs(path_, {}).IsValid(); }

  // A socket file whose process died without removing it.
  void LeaveStaleSocket() const {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof address.sun_path - 1);
    const UniqueFd fd(socket(AF_UNIX, SOCK_STREAM, 0));
    ASSERT_EQ(bind(fd.Get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }

  TempDirectory directory_;
  const std::string path_ = directory_.Path("volcryptd.sock");
};

TEST_F(ApiSocketTest, OwnerAndGroupMayConnectWhateverTheUmask) {
  for (const mode_t mask : {mode_t{0}, mode_t{077}}) {
    const mode_t old_mask = umask(mask);
    const absl::StatusOr<ApiSocket> socket = ApiSocket::Bind(path_);
    EXPECT_EQ(umask(old_mask), mask) << "the umask was not put back";
    ASSERT_TRUE(socket.ok()) << socket.status();
    struct stat status {};
    ASSERT_EQ(stat(path_.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777, 0660U);
    EXPECT_TRUE(Connects());
  }
}

TEST_F(ApiSocketTest, FileGoesWithTheSocket) {
  { ASSERT_TRUE(ApiSocket::Bind(path_).ok()); }
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(ApiSocketTest, StaleSocketIsReplaced) {
  LeaveStaleSocket();
  const absl::StatusOr<ApiSocket> socket = ApiSocket::Bind(path_);
  ASSERT_TRUE(socket.ok()) << socket.status();
  EXPECT_TRUE(Connects());
}

TEST_F(ApiSocketTest, SecondDaemonIsRefusedAndTheFirstGoesOn) {
  const absl::StatusOr<ApiSocket> first = ApiSocket::Bind(path_);
  ASSERT_TRUE(first.ok());
  const absl::StatusOr<ApiSocket> second = ApiSocket::Bind(path_);
  ASSERT_FALSE(second.ok());
  EXPECT_NE(second.status().message().find("running already"), std::string::npos) << second.status();
  EXPECT_TRUE(Connects());
}

TEST_F(ApiSocketTest, OtherFilesAreLeftAlone) {
  directory_.Write("volcryptd.sock", "precious");
  const absl::StatusOr<ApiSocket> socket = ApiSocket::Bind(path_);
  ASSERT_FALSE(socket.ok());
  EXPECT_NE(socket.status().message().find("not a socket"), std::string::npos) << socket.status();
  EXPECT_EQ(std::filesystem::file_size(path_), 8U);
}

TEST_F(ApiSocketTest, SocketOfASuccessorIsNotRemoved) {
  absl::StatusOr<ApiSocket> first = ApiSocket::Bind(path_);
  ASSERT_TRUE(first.ok());
  std::filesystem::remove(path_);
  const absl::StatusOr<ApiSocket> successor = ApiSocket::Bind(path_);
  ASSERT_TRUE(successor.ok());
  first = absl::CancelledError("gone");
  EXPECT_TRUE(Connects());
}

TEST_F(ApiSocketTest, PathsThatCannotBeBoundSayWhy) {
  EXPECT_NE(ApiSocket::Bind(std::string(200, 'x')).status().message().find("too long"), std::string::npos);
  EXPECT_NE(ApiSocket::Bind(directory_.Path("missing/s")).status().message().find("missing"), std::string::npos);
}

// sd_listen_fds looks at descriptor 3 of the process, so each case has its own.
int InChildWithDescriptor3(int fd, const std::function<int()>& body) {
  const pid_t child = fork();
  if (child == 0) {
    if (fd != 3) dup2(fd, 3);
    setenv("LISTEN_PID", std::to_string(getpid()).c_str(), 1);
    setenv("LISTEN_FDS", "1", 1);
    _exit(body());
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST_F(ApiSocketTest, SocketFromSystemdIsTakenAndItsFileStays) {
  absl::StatusOr<ApiSocket> bound = ApiSocket::Bind(path_);
  ASSERT_TRUE(bound.ok());
  const int result = InChildWithDescriptor3(bound->Fd(), [&] {
    absl::StatusOr<std::vector<ApiSocket>> passed = ApiSocket::FromSystemd();
    if (!passed.ok() || passed->size() != 1 || passed->front().Fd() != 3) return 1;
    if ((fcntl(3, F_GETFL) & O_NONBLOCK) == 0 || (fcntl(3, F_GETFD) & FD_CLOEXEC) == 0) return 2;
    passed->clear();
    return std::filesystem::exists(path_) ? 0 : 3;
  });
  EXPECT_EQ(result, 0);
  EXPECT_TRUE(Connects());
}

TEST_F(ApiSocketTest, DescriptorFromSystemdThatDoesNotListenIsAnError) {
  const UniqueFd other(socket(AF_INET, SOCK_STREAM, 0));
  const int result = InChildWithDescriptor3(other.Get(), [] { return ApiSocket::FromSystemd().ok() ? 1 : 0; });
  EXPECT_EQ(result, 0);
}

TEST_F(ApiSocketTest, NothingFromSystemdIsNoSocket) {
  unsetenv("LISTEN_FDS");
  const absl::StatusOr<std::vector<ApiSocket>> passed = ApiSocket::FromSystemd();
  ASSERT_TRUE(passed.ok());
  EXPECT_TRUE(passed->empty());
}

}  // namespace
}  // namespace volcrypt
