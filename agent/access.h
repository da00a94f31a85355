// Who may call what. The table in access.cc names the least role of every RPC, of those too that gRPC answers by
// itself; one without a row is refused.
#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "agent/caller.h"
#include "agent/config.h"

namespace volcrypt {

// The [[access]] tables with names resolved to numbers, once: an account made later is known after a restart.
// Not changed after construction, so it needs no lock.
class AccessRules {
 public:
  // `own_uid` is the agent's: it is admin, like root. No certificate is anything by itself.
  AccessRules(const std::vector<AccessConfig>& access, uid_t own_uid);

  // The highest role that the caller's user, one of its groups or one of its certificate's names has; Role::kNone for
  // everybody else.
  Role RoleOf(const Caller& caller) const;

  // Names that this host does not know, and entries that cannot mean what was meant. For the log; the rest is in force.
  const std::vector<std::string>& Warnings() const { return warnings_; }

 private:
  void AddUser(const std::string& user, Role role);
  void AddGroup(const std::string& group, Role role);
  Role RoleOfProcess(const PeerCredentials& process) const;

  const uid_t own_uid_;
  std::map<uid_t, Role> users_;
  std::map<gid_t, Role> groups_;
  std::map<std::string, Role> certificate_names_;  // as they are compared
  std::vector<std::string> warnings_;
};

// The least role that may call `method`, written as gRPC does ("/volcrypt.v1.KeyService/CreateKey"); Role::kNone when
// there is no such method.
Role LeastRoleFor(std::string_view method);

// CALLER_UNKNOWN for Role::kNone, CALLER_NOT_ALLOWED when the method needs more than `role` or has no row.
absl::Status CheckAccess(Role role, std::string_view method);

}  // namespace volcrypt
