#pragma once

#include <cstdint>
#include <functional>
#include <ostream>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "tools/volcryptctl/client.h"
#include "tools/volcryptctl/environment.h"

namespace volcrypt::ctl {

enum class Output : uint8_t { kTable, kJson };

// What a command works with. Only results go to `out`.
struct Session {
  Client& client;
  const Environment& environment;
  std::ostream& out;
  std::ostream& err;
  Output output = Output::kTable;
  bool quiet = false;                         // with tables: nothing but the essential value
  absl::Duration timeout = absl::Minutes(1);  // of each call
  std::string endpoint;                       // where the client calls
  bool yes = false;                           // destructive commands need no confirmation
};

// A command line that was understood.
using Command = std::function<absl::Status(Session&)>;

}  // namespace volcrypt::ctl
