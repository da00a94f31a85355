// Who may call what. The table in access.cc names the least role of every RPC; one without a row is refused.
#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "agent/config.h"

namespace volcrypt {

// What the kernel says of the process at the other end of a Unix socket (SO_PEERCRED, SO_PEERGROUPS), as it was when
// that process connected.
struct PeerCredentials {
  uid_t uid = 0;
  gid_t gid = 0;
  pid_t pid = 0;
  std::vector<gid_t> groups;  // supplementary
  bool is_self = false;       // the agent, which asks itself whether it answers
};

// The [[access]] tables with names resolved to numbers, once: an account made later is known after a restart.
// Not changed after construction, so it needs no lock.
class AccessRules {
 public:
  // `own_uid` is the agent's: it is admin, like root.
  AccessRules(const std::vector<AccessConfig>& access, uid_t own_uid);

  // The highest role that the caller's user or one of its groups has; Role::kNone for everybody else.
  Role RoleOf(const PeerCredentials& peer) const;

  // Names that this host does not know, and entries that cannot mean what was meant. For the log; the rest is in force.
  const std::vector<std::string>& Warnings() const { return warnings_; }

 private:
  void AddUser(const std::string& user, Role role);
  void AddGroup(const std::string& group, Role role);

  const uid_t own_uid_;
  std::map<uid_t, Role> users_;
  std::map<gid_t, Role> groups_;
  std::vector<std::string> warnings_;
};

// The least role that may call `method`, written as gRPC does ("/volcrypt.v1.KeyService/CreateKey"); Role::kNone when
// there is no such method.
Role LeastRoleFor(std::string_view method);

// CALLER_UNKNOWN for Role::kNone, CALLER_NOT_ALLOWED when the method needs more than `role` or has no row.
absl::Status CheckAccess(Role role, std::string_view method);

}  // namespace volcrypt
