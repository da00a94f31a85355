#pragma once

#include <condition_variable>
#include <cstdint>
#include <list>
#include <mutex>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace volcrypt {

// Bounds how many operations run at once and how many wait for their turn, first come, first served. Thread-safe; the
// standard library's locks, because thread sanitizer cannot see into the distribution's build of absl::Mutex.
class OperationSlots {
 public:
  // The right to run one operation; given back when destroyed, which must be before the OperationSlots are.
  class Slot {
   public:
    Slot(Slot&& other) noexcept;
    Slot& operator=(Slot&&) = delete;
    Slot(const Slot&) = delete;
    Slot& operator=(const Slot&) = delete;
    ~Slot();

   private:
    friend class OperationSlots;
    explicit Slot(OperationSlots* slots) : slots_(slots) {}
    OperationSlots* slots_;
  };

  OperationSlots(uint32_t max_running, uint32_t max_waiting) : max_running_(max_running), max_waiting_(max_waiting) {}

  // Waits until the deadline. TOO_MANY_OPERATIONS when the queue is full or no slot became free in time. A slot that
  // is free is given without looking at the clock.
  absl::StatusOr<Slot> Take(absl::Time deadline);
  uint32_t Running() const;
  uint32_t Waiting() const;

 private:
  struct Waiter {
    std::condition_variable turn;
    bool has_slot = false;
  };

  void Release();

  const uint32_t max_running_;
  const uint32_t max_waiting_;
  mutable std::mutex mutex_;
  uint32_t running_ = 0;
  std::list<Waiter*> waiters_;
};

}  // namespace volcrypt
