#include "agent/rpc/peers.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>

#include "encryptors/reason.h"
#include "encryptors/unique_fd.h"
#include "tests/unit/rpc/rpc_fixture.h"

namespace volcrypt {
namespace {

struct Pair {
  UniqueFd ours;
  UniqueFd theirs;
};

Pair NewPair() {
  std::array<int, 2> fds{};
  EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()), 0);
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

std::string NameOf(const UniqueFd& fd) { return "fd:" + std::to_string(fd.Get()); }

TEST(Peers, ConnectionIsFoundByItsDescriptor) {
  Peers peers(4);
  const Pair pair = NewPair();
  ASSERT_TRUE(peers.Remember(pair.ours.Get()).ok());
  const absl::StatusOr<PeerCredentials> found = peers.Find(NameOf(pair.ours));
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(found->uid, getuid());
  EXPECT_EQ(found->gid, getgid());
  EXPECT_EQ(found->pid, getpid());
}

TEST(Peers, NamesThatAreNotOursAreUnknownCallers) {
  Peers peers(4);
  const Pair pair = NewPair();
  ASSERT_TRUE(peers.Remember(pair.ours.Get()).ok());
  for (const char* const name : {"", "fd:", "fd:x", "fd:-1", "fd:99999", "unix:", "ipv4:127.0.0.1:1", "fd:3x"}) {
    EXPECT_TRUE(HasReason(peers.Find(name).status(), Reason::kCallerUnknown)) << name;
  }
}

TEST(Peers, ConnectionsAreLimited) {
  Peers peers(2);
  const Pair first = NewPair();
  const Pair second = NewPair();
  const Pair third = NewPair();
  EXPECT_TRUE(peers.Remember(first.ours.Get()).ok());
  EXPECT_TRUE(peers.Remember(second.ours.Get()).ok());
  EXPECT_TRUE(absl::IsResourceExhausted(peers.Remember(third.ours.Get())));
}

TEST(Peers, ClosedConnectionsMakeRoomAndLoseTheirName) {
  Peers peers(2);
  Pair first = NewPair();
  const Pair second = NewPair();
  ASSERT_TRUE(peers.Remember(first.ours.Get()).ok());
  ASSERT_TRUE(peers.Remember(second.ours.Get()).ok());
  const std::string name = NameOf(first.ours);
  first.ours.Reset();
  // Something that is no connection takes the number.
  const UniqueFd other(memfd_create("other", MFD_CLOEXEC));
  const Pair third = NewPair();
  EXPECT_TRUE(peers.Remember(third.ours.Get()).ok());
  EXPECT_TRUE(HasReason(peers.Find(name).status(), Reason::kCallerUnknown));
}

TEST(Peers, NewConnectionUnderAnOldNumberIsTheNewCaller) {
  TempDirectory directory;
  chmod(directory.Path().c_str(), 0755);
  const std::string path = directory.Path("s");
  const absl::StatusOr<ApiSocket> socket = ApiSocket::Bind(path);
  ASSERT_TRUE(socket.ok());
  chmod(path.c_str(), 0666);
  Peers peers(1);
  for (const uid_t uid : {4001U, 4002U, 4003U}) {
    const UniqueFd client = ConnectAs(path, {.uid = uid, .gid = uid + 100, .groups = {uid + 200, uid + 300}});
    const UniqueFd accepted(accept(socket->Fd(), nullptr, nullptr));
    ASSERT_TRUE(accepted.IsValid());
    ASSERT_TRUE(peers.Remember(accepted.Get()).ok());
    const absl::StatusOr<PeerCredentials> found = peers.Find(NameOf(accepted));
    ASSERT_TRUE(found.ok());
    EXPECT_EQ(found->uid, uid);
    EXPECT_EQ(found->gid, uid + 100);
    EXPECT_EQ(found->groups, (std::vector<gid_t>{uid + 200, uid + 300}));
  }
}

TEST(Peers, CallerOfVeryManyGroupsHasThemAll) {
  TempDirectory directory;
  chmod(directory.Path().c_str(), 0755);
  const std::string path = directory.Path("s");
  const absl::StatusOr<ApiSocket> socket = ApiSocket::Bind(path);
  ASSERT_TRUE(socket.ok());
  chmod(path.c_str(), 0666);
  std::vector<gid_t> groups;
  for (gid_t i = 0; i < 1000; ++i) groups.push_back(10'000 + i);
  const UniqueFd client = ConnectAs(path, {.uid = 4001, .gid = 4001, .groups = groups});
  const UniqueFd accepted(accept(socket->Fd(), nullptr, nullptr));
  ASSERT_TRUE(accepted.IsValid());
  const absl::StatusOr<PeerCredentials> credentials = ReadPeerCredentials(accepted.Get());
  ASSERT_TRUE(credentials.ok());
  EXPECT_EQ(credentials->groups, groups);
}

TEST(Peers, DescriptorThatIsNoSocketIsAnError) {
  Peers peers(1);
  const UniqueFd file(memfd_create("file", MFD_CLOEXEC));
  EXPECT_FALSE(peers.Remember(file.Get()).ok());
}

}  // namespace
}  // namespace volcrypt
