#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace volcrypt::ctl {

// The host that is looked at.
struct Host {
  std::string root;            // before every path; empty but in tests
  std::string kernel_release;  // uname -r
  uid_t user = 0;              // who looks
  bool clock_is_synchronised = false;
  absl::Time now;
  absl::Duration between_looks = absl::Seconds(1);  // at something that may be stuck

  std::string At(const std::string& path) const { return root + path; }
};

// The one that this process runs on. `root` stands before every path.
Host ThisHost(const std::string& root);

// The processes that call themselves so, from /proc: at most 64.
std::vector<pid_t> ProcessesNamed(const Host& host, const std::string& comm);
// A line of /proc/PID/status; nothing when it is not there.
std::optional<std::string> ProcessStatus(const Host& host, pid_t pid, const std::string& field);

// Who volcryptd runs as: of the running one, else the user volcrypt; nothing where neither is there.
std::optional<uid_t> AgentUser(const Host& host);
// The number of a user in ROOT/etc/passwd, or of a group in ROOT/etc/group.
std::optional<uint32_t> NumberOf(const Host& host, const std::string& file, const std::string& name);
// Its name there, or the number itself.
std::string NameOf(const Host& host, const std::string& file, uint32_t number);

}  // namespace volcrypt::ctl
