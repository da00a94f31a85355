#pragma once

#include <functional>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "tools/volcryptctl/endpoint.h"
#include "tools/volcryptctl/interrupt.h"

namespace volcrypt::ctl {

// What the process around volcryptctl is like; tests make their own.
struct Environment {
  std::string default_endpoint{kDefaultEndpoint};
  std::string root;                         // before the paths of the host that doctor looks at; empty but in tests
  std::string agent_program = "volcryptd";  // that doctor has look at the configuration
  bool can_ask = false;                     // somebody sits at a terminal and can answer questions
  bool error_is_terminal = false;
  std::function<std::optional<std::string>()> read_line = [] { return std::nullopt; };
  absl::Duration waiting_note_after = absl::Seconds(2);
  Interrupt* interrupt = nullptr;  // never null while a command runs; owned by the caller
};

}  // namespace volcrypt::ctl
