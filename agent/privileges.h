#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace volcrypt {

struct Account {
  std::string name;
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;  // all groups of the user, with gid
};

// Nothing when this host has no such user.
std::optional<Account> FindAccount(const std::string& name);

// Becomes that account for good, and checks that there is no way back. For a process with one thread.
absl::Status BecomeAccount(const Account& account);

// No core files and no reading of our memory by others of the same user: keys pass through it. After BecomeAccount,
// since a change of user resets it.
absl::Status ForbidDumps();

// Acts as another account as long as it lives; for root with one thread. What is created belongs to that account, and
// root follows nobody's links.
class ActAs {
 public:
  explicit ActAs(const Account& account);
  ActAs(const ActAs&) = delete;
  ActAs& operator=(const ActAs&) = delete;
  ~ActAs();

  const absl::Status& status() const { return status_; }

 private:
  const uid_t uid_;
  const gid_t gid_;
  absl::Status status_;
};

// Makes a directory of our own for `owner` when it is missing, or hands over the one that root made. Its parent must
// belong to root.
absl::Status PrepareDirectory(const std::string& path, mode_t mode, const Account& owner);

}  // namespace volcrypt
