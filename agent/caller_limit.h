#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>

#include "absl/status/statusor.h"

namespace volcrypt {

// Bounds the calls that one caller has in progress, so that it cannot take the room of all others. Thread-safe.
class CallerLimit {
 public:
  // One call in progress; ends when destroyed, which must be before the limit is.
  class Share {
   public:
    Share(Share&& other) noexcept;
    Share& operator=(Share&&) = delete;
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;
    ~Share();

   private:
    friend class CallerLimit;
    Share(CallerLimit* limit, std::string caller) : limit_(limit), caller_(std::move(caller)) {}
    CallerLimit* limit_;
    std::string caller_;
  };

  explicit CallerLimit(uint32_t max_calls) : max_calls_(max_calls) {}

  // `caller` as NameOf (caller.h) says. TOO_MANY_OPERATIONS at once when it has its share.
  absl::StatusOr<Share> Take(const std::string& caller);

 private:
  void Release(const std::string& caller);

  const uint32_t max_calls_;
  std::mutex mutex_;
  std::map<std::string, uint32_t> calls_;  // only of callers that have some
};

}  // namespace volcrypt
