#include "encryptors/listening_socket.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <string>

#include "child_process.h"
#include "tests/unit/temp_directory.h"

namespace volcrypt {
namespace {

using testing::HasSubstr;

struct stat StatOf(const std::string& path) {
  struct stat found = {};
  EXPECT_EQ(lstat(path.c_str(), &found), 0) << path;
  return found;
}

bool Exists(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

TEST(ListeningSocket, IsMadeForItsOwnerAlone) {
  const TempDirectory directory;
  const mode_t before = umask(0);
  const absl::StatusOr<ListeningSocket> listener = ListeningSocket::Create(directory.Path("s"), 4242);
  EXPECT_EQ(umask(before), 0U);
  ASSERT_TRUE(listener.ok()) << listener.status();
  const struct stat found = StatOf(directory.Path("s"));
  EXPECT_EQ(found.st_mode, static_cast<mode_t>(S_IFSOCK | 0600));
  EXPECT_EQ(found.st_uid, 4242U);
}

TEST(ListeningSocket, DoesNotBlockAndIsNotInherited) {
  const TempDirectory directory;
  const absl::StatusOr<ListeningSocket> listener = ListeningSocket::Create(directory.Path("s"), 0);
  ASSERT_TRUE(listener.ok()) << listener.status();
  EXPECT_NE(fcntl(listener->Fd(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_EQ(fcntl(listener->Fd(), F_GETFD), FD_CLOEXEC);
}

TEST(ListeningSocket, ReplacesWhatADeadPredecessorLeft) {
  const TempDirectory directory;
  ListeningSocket::Create(directory.Path("s"), 0)->CloseInChild();
  ASSERT_TRUE(Exists(directory.Path("s")));
  const absl::StatusOr<ListeningSocket> listener = ListeningSocket::Create(directory.Path("s"), 0);
  EXPECT_TRUE(listener.ok()) << listener.status();
}

TEST(ListeningSocket, DoesNotReplaceOneThatIsInUse) {
  const TempDirectory directory;
  const absl::StatusOr<ListeningSocket> first = ListeningSocket::Create(directory.Path("s"), 0);
  const absl::Status second = ListeningSocket::Create(directory.Path("s"), 0).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(second)) << second;
  EXPECT_THAT(std::string(second.message()), HasSubstr("already listens"));
}

TEST(ListeningSocket, DoesNotReplaceAFile) {
  const TempDirectory directory;
  std::ofstream(directory.Path("s")) << "precious";
  EXPECT_FALSE(ListeningSocket::Create(directory.Path("s"), 0).ok());
  EXPECT_TRUE(S_ISREG(StatOf(directory.Path("s")).st_mode));
}

TEST(ListeningSocket, DoesNotFollowALinkToAFile) {
  const TempDirectory directory;
  std::ofstream(directory.Path("file")) << "precious";
  ASSERT_EQ(symlink(directory.Path("file").c_str(), directory.Path("s").c_str()), 0);
  EXPECT_FALSE(ListeningSocket::Create(directory.Path("s"), 0).ok());
  EXPECT_TRUE(Exists(directory.Path("file")));
}

TEST(ListeningSocket, PathMustFit) {
  EXPECT_TRUE(absl::IsInvalidArgument(ListeningSocket::Create("", 0).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(ListeningSocket::Create("/" + std::string(107, 's'), 0).status()));
}

TEST(ListeningSocket, MissingDirectoryIsNamed) {
  const absl::Status status = ListeningSocket::Create("/nonexistent/s", 0).status();
  EXPECT_THAT(std::string(status.message()), HasSubstr("/nonexistent/s"));
}

TEST(ListeningSocket, CloseRemovesItsPath) {
  const TempDirectory directory;
  absl::StatusOr<ListeningSocket> listener = ListeningSocket::Create(directory.Path("s"), 0);
  listener->Close();
  EXPECT_FALSE(Exists(directory.Path("s")));
}

TEST(ListeningSocket, CloseLeavesASuccessorsSocket) {
  const TempDirectory directory;
  absl::StatusOr<ListeningSocket> listener = ListeningSocket::Create(directory.Path("s"), 0);
  ASSERT_EQ(rename(directory.Path("s").c_str(), directory.Path("old").c_str()), 0);
  const absl::StatusOr<ListeningSocket> successor = ListeningSocket::Create(directory.Path("s"), 0);
  listener->Close();
  EXPECT_TRUE(Exists(directory.Path("s")));
}

TEST(ListeningSocket, AdoptsAListeningSocketAndNeverRemovesIt) {
  const TempDirectory directory;
  const absl::StatusOr<ListeningSocket> parents = ListeningSocket::Create(directory.Path("s"), 0);
  const int fd = dup(parents->Fd());
  ASSERT_EQ(fcntl(fd, F_SETFL, 0), 0);
  absl::StatusOr<ListeningSocket> adopted = ListeningSocket::Adopt(fd);
  ASSERT_TRUE(adopted.ok()) << adopted.status();
  EXPECT_NE(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
  EXPECT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
  adopted->Close();
  EXPECT_TRUE(Exists(directory.Path("s")));
}

TEST(ListeningSocket, AdoptsNothingElse) {
  std::array<int, 2> pair = {-1, -1};
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair.data()), 0);
  const UniqueFd connected(pair[0]);
  const UniqueFd other(pair[1]);
  const UniqueFd internet(socket(AF_INET, SOCK_STREAM, 0));
  ASSERT_EQ(listen(internet.Get(), 1), 0);
  const UniqueFd file(open("/dev/null", O_RDONLY | O_CLOEXEC));
  for (const int fd : {connected.Get(), internet.Get(), file.Get(), 4000}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ListeningSocket::Adopt(fd).status())) << fd;
  }
  EXPECT_GE(fcntl(connected.Get(), F_GETFD), 0);  // still the caller's
}

// What systemd does before it starts a service: the socket as descriptor 3, and the environment.
int StatusFromSystemd(const std::string& count, pid_t pid_offset) {
  const TempDirectory directory;
  return RunInChild([&] {
    const absl::StatusOr<ListeningSocket> listener = ListeningSocket::Create(directory.Path("s"), 0);
    if (!listener.ok() || (listener->Fd() != 3 && dup2(listener->Fd(), 3) != 3)) return 99;
    setenv("LISTEN_PID", std::to_string(getpid() + pid_offset).c_str(), 1);
    setenv("LISTEN_FDS", count.c_str(), 1);
    return static_cast<int>(ListeningSocket::FromSystemd().status().code());
  });
}

TEST(ListeningSocket, TakesTheOneThatSystemdPassed) {
  EXPECT_TRUE(ExitedWith(StatusFromSystemd("1", 0), static_cast<int>(absl::StatusCode::kOk)));
}

TEST(ListeningSocket, SystemdsVariablesForAnotherProcessDoNotCount) {
  EXPECT_TRUE(ExitedWith(StatusFromSystemd("1", 1), static_cast<int>(absl::StatusCode::kNotFound)));
}

TEST(ListeningSocket, SystemdMustPassExactlyOne) {
  EXPECT_TRUE(ExitedWith(StatusFromSystemd("2", 0), static_cast<int>(absl::StatusCode::kInvalidArgument)));
}

TEST(ListeningSocket, WithoutSystemdThereIsNone) {
  EXPECT_TRUE(absl::IsNotFound(ListeningSocket::FromSystemd().status()));
}

}  // namespace
}  // namespace volcrypt
