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

class PeersTest : public testing::Test {
 protected:
  void Let(const std::string& user) {
    access_.Set(std::make_shared<const AccessRules>(
        std::vector<AccessConfig>{{.role = Role::kCompute, .users = {user}, .groups = {}, .certificate_names = {}}},
        0));
  }

  // Root is admin, and so are these tests.
  CurrentAccess access_{std::make_shared<const AccessRules>(std::vector<AccessConfig>{}, 0)};
};

std::string NameOf(const UniqueFd& fd) { return "fd:" + std::to_string(fd.Get()); }

TEST_F(PeersTest, ConnectionIsFoundByItsDescriptor) {
  Peers peers(4, access_);
  const Pair pair = NewPair();
  ASSERT_TRUE(peers.Remember(pair.ours.Get()).ok());
  const absl::StatusOr<PeerCredentials> found = peers.Find(NameOf(pair.ours));
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(found->uid, getuid());
  EXPECT_EQ(found->gid, getgid());
  EXPECT_EQ(found->pid, getpid());
}

TEST_F(PeersTest, NamesThatAreNotOursAreUnknownCallers) {
  Peers peers(4, access_);
  const Pair pair = NewPair();
  ASSERT_TRUE(peers.Remember(pair.ours.Get()).ok());
  for (const char* const name : {"", "fd:", "fd:x", "fd:-1", "fd:99999", "unix:", "ipv4:127.0.0.1:1", "fd:3x"}) {
    EXPECT_TRUE(HasReason(peers.Find(name).status(), Reason::kCallerUnknown)) << name;
  }
}

// Who connects to it is whoever the kernel says.
class ConnectionsTest : public PeersTest {
 protected:
  ConnectionsTest() {
    chmod(directory_.Path().c_str(), 0755);
    listener_.emplace(*ApiSocket::Bind(path_));
    chmod(path_.c_str(), 0666);
  }

  // The server's end; the client's stays open too.
  UniqueFd Accept(uid_t uid) {
    clients_.push_back(ConnectAs(path_, {.uid = uid, .gid = uid, .groups = {}}));
    return UniqueFd(accept(listener_->Fd(), nullptr, nullptr));
  }
  // How many of `attempts` connections of a user are remembered. They stay open.
  size_t Remembered(Peers& peers, uid_t uid, size_t attempts) {
    size_t remembered = 0;
    for (size_t i = 0; i < attempts; ++i) {
      open_.push_back(Accept(uid));
      const absl::Status status = peers.Remember(open_.back().Get());
      remembered += status.ok() ? 1 : 0;
      if (!status.ok()) {
        EXPECT_TRUE(absl::IsResourceExhausted(status));
        EXPECT_EQ(status.message().find("user " + std::to_string(uid)), 0U) << status;
      }
    }
    return remembered;
  }

  TempDirectory directory_;
  const std::string path_ = directory_.Path("s");
  std::optional<ApiSocket> listener_;
  std::vector<UniqueFd> clients_;
  std::vector<UniqueFd> open_;
};

TEST_F(ConnectionsTest, AreLimitedAndAdminsHaveRoomOfTheirOwn) {
  Let("4001");
  Peers peers(16, access_);
  EXPECT_EQ(Remembered(peers, 4001, 17), 16U);
  EXPECT_EQ(Remembered(peers, 0, Peers::kRoomForAdmins + 1), Peers::kRoomForAdmins);
}

TEST_F(ConnectionsTest, CallersWithoutARoleHaveASmallPart) {
  Let("4001");
  Peers peers(16, access_);
  EXPECT_EQ(Remembered(peers, 4002, 2), 2U);
  EXPECT_EQ(Remembered(peers, 4003, 1), 0U) << "of all of them together";
  EXPECT_EQ(Remembered(peers, 4001, 15), 14U);
}

TEST_F(ConnectionsTest, ThatAreClosedMakeRoomAndLoseTheirName) {
  Let("4001");
  Peers peers(2, access_);
  ASSERT_EQ(Remembered(peers, 4001, 2), 2U);
  const std::string name = NameOf(open_.front());
  open_.front().Reset();
  // Something that is no connection takes the number.
  const UniqueFd other(memfd_create("other", MFD_CLOEXEC));
  EXPECT_EQ(Remembered(peers, 4001, 1), 1U);
  EXPECT_TRUE(HasReason(peers.Find(name).status(), Reason::kCallerUnknown));
}

TEST_F(PeersTest, NewConnectionUnderAnOldNumberIsTheNewCaller) {
  TempDirectory directory;
  chmod(directory.Path().c_str(), 0755);
  const std::string path = directory.Path("s");
  const absl::StatusOr<ApiSocket> socket = ApiSocket::Bind(path);
  ASSERT_TRUE(socket.ok());
  chmod(path.c_str(), 0666);
  Peers peers(Peers::kPartForUnknown, access_);
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

TEST_F(PeersTest, CallerOfVeryManyGroupsHasThemAll) {
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

TEST_F(PeersTest, DescriptorThatIsNoSocketIsAnError) {
  Peers peers(1, access_);
  const UniqueFd file(memfd_create("file", MFD_CLOEXEC));
  EXPECT_FALSE(peers.Remember(file.Get()).ok());
}

}  // namespace
}  // namespace volcrypt
