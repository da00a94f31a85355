#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace volcrypt::ctl {

struct ProgramOptions {
  absl::Duration timeout = absl::Seconds(20);  // then it is killed
  size_t most = size_t{1} << 20;               // bytes of output; what comes after is not waited for
  int output = -1;                             // where its output goes instead of into the result
  // The result is what a program that fails says on standard error, and nothing of one that does not.
  bool wants_complaints = false;
};

// Runs a program of the system's directories, or at its path, without a shell, with an environment of its own: none of
// ours reaches it. The result is its standard output. An exit status but 0 is an error.
absl::StatusOr<std::string> RunProgram(const std::vector<std::string>& command, const ProgramOptions& options = {});

}  // namespace volcrypt::ctl
