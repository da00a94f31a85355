#include "agent/metrics/attached_volumes.h"

namespace volcrypt {

AttachedVolumes::Counts AttachedVolumes::Read(absl::Time now) {
  const std::lock_guard lock(mutex_);
  // A clock that was set back must not keep an old reading for ever.
  const absl::Duration age = now - read_at_;
  if (age >= absl::ZeroDuration() && age < kKeptFor) return counts_;
  counts_ = {};
  for (const Mapping& mapping : mappings_.List()) {
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
    }
  }
  read_at_ = now;
  return counts_;
}

}  // namespace volcrypt
