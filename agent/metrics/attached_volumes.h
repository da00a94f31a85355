#pragma once

#include <cstdint>
#include <mutex>

#include "absl/time/time.h"
#include "agent/mappings.h"

namespace volcrypt {

// How many volumes are attached, by what the kernel says of their mappings. Read from sysfs and kept for a while, so
// that whoever asks all the time costs no more than one reading in that time. Touches no device. Thread-safe.
class AttachedVolumes {
 public:
  static constexpr absl::Duration kKeptFor = absl::Seconds(5);

  struct Counts {
    uint32_t active = 0;  // those of a deferred detach too, which sysfs cannot tell
    uint32_t suspended = 0;
    uint32_t broken = 0;
  };

  // `mappings` outlive this.
  explicit AttachedVolumes(const Mappings& mappings) : mappings_(mappings) {}

  // As of `now`, or at most kKeptFor before.
  Counts Read(absl::Time now);

 private:
  const Mappings& mappings_;
  std::mutex mutex_;
  absl::Time read_at_ = absl::InfinitePast();
  Counts counts_;
};

}  // namespace volcrypt
