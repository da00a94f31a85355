#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "agent/caller.h"
#include "agent/log.h"

namespace volcrypt {

// What the audit says of one operation.
struct AuditEvent {
  std::string_view verb;           // the call's name in the API
  const Caller* caller = nullptr;  // null: nobody knows
  std::string_view role;
  LogFields about;        // as in the log: volume, device, key, what came of it
  std::string_view will;  // not empty: comes before a step that cannot be undone, and says what is about to be done
  absl::Status outcome;   // else: how it ended, and how long it took
  absl::Duration took;
};

// One JSON object in ASCII, without a line's end. Callers send what they like: values are escaped, cut to 256 bytes,
// and what is no UTF-8 becomes the replacement character.
std::string AuditLine(const AuditEvent& event, absl::Time now);

// Likewise: how many of one caller's denied calls the audit does not have one by one.
std::string LeftOutLine(std::string_view caller, uint64_t calls, absl::Time now);

}  // namespace volcrypt
