#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "tools/volcryptctl/doctor/agent_answers.h"
#include "tools/volcryptctl/doctor/config_file.h"
#include "tools/volcryptctl/doctor/finding.h"
#include "tools/volcryptctl/doctor/host.h"

namespace volcrypt::ctl {

// What the checks go by. They change nothing.
struct Examination {
  Host host;
  std::string socket;  // path of the agent's
  std::string config_path;
  absl::StatusOr<ConfigFile> config;
  absl::StatusOr<std::string> config_errors = "";  // what volcryptd says of it and of volumes.d, a line each
  AgentAnswers agent;
};

// Every check in the order in which people read them, those first on which others depend.
Findings RunChecks(const Examination& examination);

// The checks themselves.
Findings CheckModules(const Examination& examination);
Findings CheckDeviceMapper(const Examination& examination);
Findings CheckDirectories(const Examination& examination);
Findings CheckConfiguration(const Examination& examination);
Findings CheckKeyStore(const Examination& examination);
Findings CheckSocket(const Examination& examination);
Findings CheckAgent(const Examination& examination);
Findings CheckRole(const Examination& examination);
Findings CheckHelper(const Examination& examination);
Findings CheckKeyManagers(const Examination& examination);
Findings CheckLibvirt(const Examination& examination);
Findings CheckClock(const Examination& examination);
Findings CheckMemoryLock(const Examination& examination);
Findings CheckMappings(const Examination& examination);
Findings CheckAttachments(const Examination& examination);
Findings CheckWorkers(const Examination& examination);

}  // namespace volcrypt::ctl
