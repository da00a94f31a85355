#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace volcrypt {

// Of what strangers can cause as often as they like, lets the first few of each source in a minute be told and counts
// the rest, so that nobody fills the log. Thread-safe.
class BurstLimit {
 public:
  static constexpr uint32_t kMost = 10;
  static constexpr absl::Duration kInterval = absl::Minutes(1);
  // Beyond that many in one interval the others share one burst, under kOthers.
  static constexpr size_t kMaxSources = 64;
  static constexpr const char* kOthers = "others";

  struct LeftOut {
    std::string source;
    uint64_t count = 0;
  };

  // Whether to tell it. Intervals end with TakeLeftOut alone, so that no count is lost: call that first.
  bool Take(const std::string& source, absl::Time now);
  // What was left out in the intervals that are over.
  std::vector<LeftOut> TakeLeftOut(absl::Time now);

 private:
  struct Source {
    absl::Time begin;
    uint32_t told = 0;
    uint64_t left_out = 0;
  };

  std::mutex mutex_;
  std::map<std::string, Source> sources_;
};

}  // namespace volcrypt
