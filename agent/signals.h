#pragma once

#include <csignal>
#include <optional>

#include "absl/time/time.h"

namespace volcrypt {

// The signals that mean something to the daemon, taken one at a time by one thread instead of interrupting any.
class Signals {
 public:
  // Blocks them in this thread and all that it will start, so it comes before any other. SIGPIPE is ignored.
  Signals();

  // The next signal; nothing when none comes in that time.
  std::optional<int> Wait(absl::Duration timeout) const;

 private:
  sigset_t set_;
};

}  // namespace volcrypt
