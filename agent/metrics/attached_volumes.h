#pragma once

#include <cstdint>
#include <mutex>

#include "absl/time/time.h"
#include "agent/mappings.h"
#include "agent/pending_volumes.h"

namespace volcrypt {

// How many volumes are attached, by what the kernel says of their mappings, or wait to be. Read from sysfs and kept for
// a while, so that whoever asks all the time costs no more than one reading in that time. Touches no device.
// Thread-safe.
class AttachedVolumes {
 public:
  static constexpr absl::Duration kKeptFor = absl::Seconds(5);

  struct Counts {
    uint32_t active = 0;  // those of a deferred detach too, which sysfs cannot tell
    uint32_t suspended = 0;
    uint32_t broken = 0;
    uint32_t waiting = 0;  // to be attached by the agent itself, as those who ask for attachments are told
  };

  // Both outlive this.
  AttachedVolumes(const Mappings& mappings, PendingVolumes& pending) : mappings_(mappings), pending_(pending) {}

  // As of `now`, or at most kKeptFor before.
  Counts Read(absl::Time now);

 private:
  const Mappings& mappings_;
  PendingVolumes& pending_;
  std::mutex mutex_;
  absl::Time read_at_ = absl::InfinitePast();
  Counts counts_;
};

}  // namespace volcrypt
