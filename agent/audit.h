#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "agent/audit_event.h"
#include "agent/audit_file.h"
#include "agent/log.h"
#include "agent/metrics/observer.h"

namespace volcrypt {

// Who did what to which volume with which key, and how it ended: one JSON object a line, for every call that changes
// something or was denied, and one before each step that cannot be undone. Into the journal, where VOLCRYPT_AUDIT=1
// finds it, and into a file, if one is configured. A line that does not arrive is logged and counted. Thread-safe.
class Audit {
 public:
  // Both outlive this.
  Audit(const Log& log, Observer& observer) : log_(log), observer_(observer) {}

  AuditFile& File() { return file_; }
  // An error, STATE_NOT_WRITABLE: the file is configured and does not have the line, so the step must not be done.
  // Waits until the line is on the disk.
  absl::Status WriteBefore(const AuditEvent& event);
  void WriteAfter(const AuditEvent& event);
  // That there were more denied calls of this caller than it has lines for.
  void WriteLeftOut(std::string_view caller, uint64_t calls);

 private:
  absl::Status Write(const std::string& line, const LogFields& about, bool durable);

  const Log& log_;
  Observer& observer_;
  AuditFile file_;
};

}  // namespace volcrypt
