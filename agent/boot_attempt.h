#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/attacher.h"
#include "agent/audit.h"
#include "agent/boot_volumes.h"
#include "agent/log.h"
#include "agent/metrics/observer.h"

namespace volcrypt {

// One attach of a volume of volumes.d: told, counted and audited as a call of the API is, with the role "boot" and no
// caller. A failure that repeats `known` and changed nothing is not told or counted again.
class BootAttempt {
 public:
  // All references outlive this.
  BootAttempt(Attacher& attacher, const Log& log, Observer& observer, Audit& audit)
      : attacher_(attacher), log_(log), observer_(observer), audit_(audit) {}

  absl::Status Run(const BootVolume& volume, const absl::Status& known, absl::Time deadline);

 private:
  absl::StatusOr<AttachAnswer> Attach(const AttachCall& call, const KeyCall& key_call,
                                      const BeforeFormat& before_format);
  void Tell(const AuditEvent& event, const std::vector<std::string>& warnings, const OperationFacts& facts);

  Attacher& attacher_;
  const Log& log_;
  Observer& observer_;
  Audit& audit_;
};

}  // namespace volcrypt
