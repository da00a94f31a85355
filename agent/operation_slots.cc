#include "agent/operation_slots.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "encryptors/reason.h"

namespace volcrypt {

OperationSlots::Slot::Slot(Slot&& other) noexcept : slots_(std::exchange(other.slots_, nullptr)) {}

OperationSlots::Slot::~Slot() {
  if (slots_ != nullptr) slots_->Release();
}

absl::StatusOr<OperationSlots::Slot> OperationSlots::Take(absl::Time deadline) {
  std::unique_lock lock(mutex_);
  if (running_ < max_running_) {
    ++running_;
    return Slot(this);
  }
  if (waiters_.size() >= max_waiting_) {
    return MakeError(Reason::kTooManyOperations,
                     absl::StrCat(running_, " operations run and ", waiters_.size(), " wait already; try again later"),
                     {{"running", absl::StrCat(running_)}, {"waiting", absl::StrCat(waiters_.size())}});
  }
  Waiter waiter;
  waiters_.push_back(&waiter);
  const auto has_slot = [&waiter] { return waiter.has_slot; };
  if (deadline == absl::InfiniteFuture()) {
    waiter.turn.wait(lock, has_slot);
  } else {
    waiter.turn.wait_until(lock, absl::ToChronoTime(deadline), has_slot);
  }
  if (waiter.has_slot) return Slot(this);
  waiters_.remove(&waiter);
  return MakeError(Reason::kTooManyOperations,
                   absl::StrCat("none of the ", running_, " running operations ended in time; try again later"),
                   {{"running", absl::StrCat(running_)}});
}

uint32_t OperationSlots::Running() const {
  const std::lock_guard lock(mutex_);
  return running_;
}

uint32_t OperationSlots::Waiting() const {
  const std::lock_guard lock(mutex_);
  return static_cast<uint32_t>(waiters_.size());
}

void OperationSlots::Release() {
  const std::lock_guard lock(mutex_);
  if (waiters_.empty()) {
    --running_;
    return;
  }
  // The slot passes to the longest waiting without becoming free in between, so that nobody overtakes.
  Waiter* const next = waiters_.front();
  waiters_.pop_front();
  next->has_slot = true;
  // Under the lock: once it is open the waiter may return, and its condition variable is gone.
  next->turn.notify_one();
}

}  // namespace volcrypt
