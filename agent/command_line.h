#pragma once

#include <optional>
#include <string>
#include <variant>

namespace volcrypt {

struct CommandLine {
  std::string config_path = "/etc/volcrypt/volcryptd.toml";
  bool config_named = false;  // then the file must exist
  bool check_config = false;
  bool spawn_helper = false;
  std::string helper_socket = "/run/volcrypt-helper/helper.sock";  // without spawn_helper
  // With spawn_helper; nothing: the helper's own defaults.
  std::optional<std::string> helper_state;
  std::optional<std::string> helper_lock_dir;
};

// What there was to say (help, version, a wrong option) was said; end with this status.
struct ExitStatus {
  int status = 0;
};

std::variant<CommandLine, ExitStatus> ParseCommandLine(int argc, const char* const* argv);

}  // namespace volcrypt
