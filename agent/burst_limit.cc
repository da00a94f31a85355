#include "agent/burst_limit.h"

#include <utility>

namespace volcrypt {

bool BurstLimit::Take(const std::string& source, absl::Time now) {
  const std::lock_guard lock(mutex_);
  const bool has_room = sources_.size() < kMaxSources || sources_.contains(source);
  Source& counted = sources_.try_emplace(has_room ? source : kOthers, Source{.begin = now}).first->second;
  if (counted.told < kMost) {
    ++counted.told;
    return true;
  }
  ++counted.left_out;
  return false;
}

std::vector<BurstLimit::LeftOut> BurstLimit::TakeLeftOut(absl::Time now) {
  const std::lock_guard lock(mutex_);
  std::vector<LeftOut> all;
  for (auto it = sources_.begin(); it != sources_.end();) {
    const Source& counted = it->second;
    // A clock that was set back ends it too.
    if (now >= counted.begin && now - counted.begin < kInterval) {
      ++it;
      continue;
    }
    if (counted.left_out > 0) all.push_back({.source = it->first, .count = counted.left_out});
    it = sources_.erase(it);
  }
  return all;
}

}  // namespace volcrypt
