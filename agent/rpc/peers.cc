#include "agent/rpc/peers.h"

#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <optional>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "encryptors/reason.h"

namespace volcrypt {
namespace {

// Linux's NGROUPS_MAX.
constexpr size_t kMaxGroups = 65536;

absl::StatusOr<std::vector<gid_t>> ReadPeerGroups(int socket) {
  std::vector<gid_t> groups(64);
  for (;;) {
    auto size = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
    if (getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &size) == 0) {
      groups.resize(size / sizeof(gid_t));
      return groups;
    }
    // The kernel says the size that it needs.
    if (errno != ERANGE || size / sizeof(gid_t) > kMaxGroups) {
      return absl::InternalError(absl::StrCat("SO_PEERGROUPS: ", strerror(errno)));
    }
    groups.resize(size / sizeof(gid_t));
  }
}

std::optional<ino_t> InodeOf(int fd) {
  struct stat status {};
  if (fstat(fd, &status) != 0 || !S_ISSOCK(status.st_mode)) return std::nullopt;
  return status.st_ino;
}

}  // namespace

absl::StatusOr<PeerCredentials> ReadPeerCredentials(int socket) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
    return absl::InternalError(absl::StrCat("SO_PEERCRED: ", strerror(errno)));
  }
  absl::StatusOr<std::vector<gid_t>> groups = ReadPeerGroups(socket);
  if (!groups.ok()) return groups.status();
  return PeerCredentials{
      .uid = credentials.uid, .gid = credentials.gid, .pid = credentials.pid, .groups = *std::move(groups)};
}

absl::Status Peers::Remember(int socket, bool is_self) {
  absl::StatusOr<PeerCredentials> credentials = ReadPeerCredentials(socket);
  if (!credentials.ok()) return credentials.status();
  credentials->is_self = is_self;
  const std::optional<ino_t> inode = InodeOf(socket);
  if (!inode) return absl::InternalError("the accepted descriptor is not a socket");

  const Role role = access_.Get()->RoleOf({.process = *credentials, .certificate_names = {}});

  const std::lock_guard lock(mutex_);
  connections_.erase(socket);  // its number was free, so the connection that had it is closed
  if (!HasRoomLocked(role)) DropClosedLocked();
  if (!HasRoomLocked(role) && !is_self) {
    return absl::ResourceExhaustedError(absl::StrCat("user ", credentials->uid, " finds ", connections_.size(),
                                                     " connections, no room for one more of its role"));
  }
  connections_[socket] = {.inode = *inode, .credentials = *std::move(credentials), .role = role};
  return absl::OkStatus();
}

bool Peers::HasRoomLocked(Role role) const {
  if (role == Role::kAdmin) return connections_.size() < max_connections_ + kRoomForAdmins;
  if (connections_.size() >= max_connections_) return false;
  if (role != Role::kNone) return true;
  const auto unknown =
      std::ranges::count_if(connections_, [](const auto& entry) { return entry.second.role == Role::kNone; });
  return static_cast<size_t>(unknown) < max_connections_ / kPartForUnknown;
}

absl::StatusOr<PeerCredentials> Peers::Find(std::string_view peer) const {
  constexpr std::string_view kPrefix = "fd:";
  int fd = -1;
  if (peer.starts_with(kPrefix) && absl::SimpleAtoi(std::string(peer.substr(kPrefix.size())), &fd)) {
    const std::lock_guard lock(mutex_);
    if (const auto it = connections_.find(fd); it != connections_.end()) return it->second.credentials;
  }
  return MakeError(Reason::kCallerUnknown, absl::StrCat("nothing is known about the caller of ", std::string(peer)));
}

void Peers::HangUp() const {
  const std::lock_guard lock(mutex_);
  for (const auto& [fd, connection] : connections_) {
    if (InodeOf(fd) == connection.inode) shutdown(fd, SHUT_RDWR);
  }
}

// gRPC does not say when it closes a connection, so closed ones are looked for when the room is needed.
void Peers::DropClosedLocked() {
  for (auto it = connections_.begin(); it != connections_.end();) {
    it = InodeOf(it->first) == it->second.inode ? std::next(it) : connections_.erase(it);
  }
}

}  // namespace volcrypt
