#include "agent/watchdog.h"

#include <systemd/sd-daemon.h>

#include <cstdint>

namespace volcrypt {

Watchdog::Watchdog() {
  uint64_t microseconds = 0;
  if (sd_watchdog_enabled(/*unset_environment=*/1, &microseconds) <= 0) return;
  step_ = absl::Microseconds(static_cast<int64_t>(microseconds)) / kSteps;
}

absl::Status Watchdog::Feed(const std::function<absl::Status(absl::Duration timeout)>& check) {
  if (step_ == absl::InfiniteDuration()) return absl::OkStatus();
  const auto start = std::chrono::steady_clock::now();
  if (start < next_) return absl::OkStatus();
  absl::Status alive = check(step_);
  failed_ = !alive.ok();
  if (failed_) return alive;
  next_ = start + absl::ToChronoMilliseconds(step_);
  sd_notify(0, "WATCHDOG=1");
  return absl::OkStatus();
}

}  // namespace volcrypt
