#include "agent/caller_limit.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "encryptors/reason.h"

namespace volcrypt {

CallerLimit::Share::Share(Share&& other) noexcept
    : limit_(std::exchange(other.limit_, nullptr)), caller_(std::move(other.caller_)) {}

CallerLimit::Share::~Share() {
  if (limit_ != nullptr) limit_->Release(caller_);
}

absl::StatusOr<CallerLimit::Share> CallerLimit::Take(const std::string& caller) {
  const std::lock_guard lock(mutex_);
  uint32_t& calls = calls_[caller];
  if (calls >= max_calls_) {
    return MakeError(Reason::kTooManyOperations,
                     absl::StrCat(caller, " has ", calls,
                                  " calls in progress, which is all it may have (server.max_calls_per_caller); try "
                                  "again when some have ended"),
                     {{"caller", caller}, {"running", absl::StrCat(calls)}});
  }
  ++calls;
  return Share(this, caller);
}

void CallerLimit::Release(const std::string& caller) {
  const std::lock_guard lock(mutex_);
  const auto it = calls_.find(caller);
  if (--it->second == 0) calls_.erase(it);
}

}  // namespace volcrypt
