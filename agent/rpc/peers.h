#pragma once

#include <sys/types.h>

#include <map>
#include <mutex>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/caller.h"
#include "agent/config.h"
#include "agent/current_access.h"

namespace volcrypt {

// Who is at the other end of a connected Unix socket, as the kernel says.
absl::StatusOr<PeerCredentials> ReadPeerCredentials(int socket);

// The callers of the connections that gRPC serves. gRPC 1.51 knows no credentials of Unix sockets; it names a
// connection that was handed to it by its descriptor, "fd:N", and keeps that open as long as a call on it lives.
// Thread-safe.
class Peers {
 public:
  // What admins have beyond the most connections of all others, so that they get in when a host is in trouble.
  static constexpr size_t kRoomForAdmins = 16;
  // Callers without a role have this part of the most connections at most, all of them together.
  static constexpr size_t kPartForUnknown = 8;

  // `access` outlives this.
  Peers(size_t max_connections, const CurrentAccess& access) : max_connections_(max_connections), access_(access) {}

  // Remembers who is behind a connection that will be handed to gRPC. kResourceExhausted when there are too many; for
  // the agent's own there is always room.
  absl::Status Remember(int socket, bool is_self = false);
  // `peer` is what grpc::ServerContext::peer() says. CALLER_UNKNOWN when it is none of ours.
  absl::StatusOr<PeerCredentials> Find(std::string_view peer) const;
  // Ends all connections: whoever waits for an answer on one sees UNAVAILABLE at once.
  void HangUp() const;

 private:
  struct Connection {
    ino_t inode = 0;  // of the socket, which tells whether the descriptor is still the same connection
    PeerCredentials credentials;
    Role role = Role::kNone;  // when it connected
  };
  bool HasRoomLocked(Role role) const;
  void DropClosedLocked();

  const size_t max_connections_;
  const CurrentAccess& access_;
  mutable std::mutex mutex_;
  std::map<int, Connection> connections_;
};

}  // namespace volcrypt
