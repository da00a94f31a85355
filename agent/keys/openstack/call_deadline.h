#pragma once

#include <algorithm>
#include <chrono>

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace volcrypt {

// Until when a call may take, on the monotonic clock: a step of the wall clock in its middle changes nothing.
class CallDeadline {
 public:
  using Clock = std::chrono::steady_clock;

  // The sooner of the two. `most` is finite.
  static CallDeadline Of(absl::Time deadline, absl::Duration most) {
    return CallDeadline(Clock::now() + absl::ToChronoNanoseconds(std::min(deadline - absl::Now(), most)));
  }

  Clock::time_point When() const { return when_; }
  // Zero when it has passed.
  std::chrono::milliseconds Remaining() const {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(when_ - Clock::now());
    return std::max(left, std::chrono::milliseconds(0));
  }
  bool HasPassed() const { return Remaining().count() == 0; }
  CallDeadline Within(Clock::duration most) const { return CallDeadline(std::min(when_, Clock::now() + most)); }
  // Leaves half of what remains to whatever comes after.
  CallDeadline HalfWay() const { return CallDeadline(Clock::now() + (when_ - Clock::now()) / 2); }

 private:
  explicit CallDeadline(Clock::time_point when) : when_(when) {}

  Clock::time_point when_;
};

}  // namespace volcrypt
