#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace volcrypt {

struct HelperCommandLine {
  std::string socket_path;  // at most one of the two; none: systemd's
  std::optional<int> fd;
  uid_t peer_uid = 0;
  std::string state_dir = "/var/lib/volcrypt-helper";
  std::string lock_dir = "/run/volcrypt-helper/locks";
  std::vector<std::string> device_prefixes;  // each with its trailing slash; /dev/ when none was given
  bool help = false;
  bool version = false;
};

// Errors say which option is wrong and what it wants. `passwd_file` is where --peer-uid's names are looked up.
absl::StatusOr<HelperCommandLine> ParseHelperCommandLine(int argc, char** argv,
                                                         const std::string& passwd_file = "/etc/passwd");

std::string HelperUsage();

}  // namespace volcrypt
