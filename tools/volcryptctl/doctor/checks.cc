#include "tools/volcryptctl/doctor/checks.h"

#include <array>
#include <utility>

#include "absl/strings/string_view.h"

namespace volcrypt::ctl {
namespace {

struct Check {
  absl::string_view name;
  Findings (*run)(const Examination&);
};

constexpr std::array kChecks = {
    Check{"modules", CheckModules},
    Check{"device-mapper", CheckDeviceMapper},
    Check{"directories", CheckDirectories},
    Check{"configuration", CheckConfiguration},
    Check{"key-store", CheckKeyStore},
    Check{"socket", CheckSocket},
    Check{"agent", CheckAgent},
    Check{"role", CheckRole},
    Check{"helper", CheckHelper},
    Check{"key-managers", CheckKeyManagers},
    Check{"libvirt", CheckLibvirt},
    Check{"clock", CheckClock},
    Check{"memory-lock", CheckMemoryLock},
    Check{"mappings", CheckMappings},
    Check{"attachments", CheckAttachments},
    Check{"workers", CheckWorkers},
};

}  // namespace

Findings RunChecks(const Examination& examination) {
  Findings all;
  for (const Check& check : kChecks) {
    for (Finding& finding : check.run(examination)) {
      finding.check = std::string(check.name);
      all.push_back(std::move(finding));
    }
  }
  return all;
}

}  // namespace volcrypt::ctl
