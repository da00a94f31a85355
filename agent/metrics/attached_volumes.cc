#include "agent/metrics/attached_volumes.h"

#include <vector>

namespace volcrypt {

AttachedVolumes::Counts AttachedVolumes::Read(absl::Time now) {
  const std::lock_guard lock(mutex_);
  // A clock that was set back must not keep an old reading for ever.
  const absl::Duration age = now - read_at_;
  if (age >= absl::ZeroDuration() && age < kKeptFor) return counts_;
  counts_ = {};
  const PendingVolumes::Look look(pending_);
  const std::vector<Mapping> mappings = mappings_.List();
  WaitingVolumes waiting = look.Waiting();
  for (const Mapping& mapping : mappings) {
    if (look.SawMaking(mapping.volume_id)) continue;
    waiting.erase(mapping.volume_id);
    switch (mapping.state) {
      case MappingState::kActive:
      case MappingState::kDetaching:
        ++counts_.active;
        break;
      case MappingState::kSuspended:
        ++counts_.suspended;
        break;
      case MappingState::kBroken:
        ++counts_.broken;
        break;
      case MappingState::kWaiting:  // never of a mapping
        break;
    }
  }
  counts_.waiting = static_cast<uint32_t>(waiting.size());
  read_at_ = now;
  return counts_;
}

}  // namespace volcrypt
