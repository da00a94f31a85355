#pragma once

#include <chrono>
#include <functional>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace volcrypt {

// systemd's watchdog (WatchdogSec=), told that we live as often as a check proves it. One that is not told in time
// restarts us. Without a watchdog it does nothing.
class Watchdog {
 public:
  // The period as the environment says. Not thread-safe.
  Watchdog();
  // Of another period, for tests.
  explicit Watchdog(absl::Duration period) : step_(period / kSteps) {}

  // What a check may take, and the longest time between two that went well.
  absl::Duration Step() const { return step_; }
  // How long one may wait before the next call of Feed: after a check that failed there must be time for one more.
  absl::Duration Pause() const { return failed_ ? step_ / 4 : step_; }

  // When it is time: runs the check, which must end within the time that it is given, and tells systemd if that
  // succeeded. The check's error.
  absl::Status Feed(const std::function<absl::Status(absl::Duration timeout)>& check);

 private:
  // One to wait, one for the check, and one to spare.
  static constexpr int kSteps = 3;

  absl::Duration step_ = absl::InfiniteDuration();
  bool failed_ = false;
  // Of a clock that nobody sets: a jump of the time must not look like being stuck.
  std::chrono::steady_clock::time_point next_ = std::chrono::steady_clock::time_point::min();
};

}  // namespace volcrypt
