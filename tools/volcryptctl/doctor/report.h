#pragma once

#include "absl/status/status.h"
#include "nlohmann/json_fwd.hpp"
#include "tools/volcryptctl/doctor/finding.h"
#include "tools/volcryptctl/session.h"

namespace volcrypt::ctl {

// {"result", "checks": [{"check", "result", "found", "remedy"}]}: the worst result, and each.
nlohmann::ordered_json ToJson(const Findings& findings);

// Prints them in the session's form, quietly the worst result alone.
void PrintFindings(Session& session, const Findings& findings);

// The error HOST_FAULT that names the checks, when one of them found a fault.
absl::Status FaultsOf(const Findings& findings);

}  // namespace volcrypt::ctl
