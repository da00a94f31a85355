#pragma once

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "tools/volcryptctl/session.h"

namespace volcrypt::ctl {

// What the command line says. Without a command there is text to print: help or the version.
struct CommandLine {
  std::string endpoint;
  absl::Duration timeout = absl::Seconds(60);
  Output output = Output::kTable;
  bool quiet = false;
  bool yes = false;
  std::string os_token_file;  // empty: none
  Command command;
  std::string text;
  absl::Status error;  // wrong usage, or no command at all when `text` is there too
};

// `args` without the program's name.
CommandLine ParseCommandLine(const std::vector<std::string>& args, const std::string& default_endpoint);

}  // namespace volcrypt::ctl
