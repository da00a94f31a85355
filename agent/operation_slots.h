#pragma once

#include <cstdint>
#include <mutex>

#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace volcrypt {

// Bounds how many operations run at once and how many wait for their turn. Thread-safe.
class OperationSlots {
 public:
  // The right to run one operation; given back when destroyed.
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

  // Waits until the deadline. TOO_MANY_OPERATIONS when the queue is full or no slot became free in time.
  absl::StatusOr<Slot> Take(absl::Time deadline);
  uint32_t Running() const;

 private:
  const uint32_t max_running_;
  const uint32_t max_waiting_;
  mutable absl::Mutex mutex_;
  uint32_t running_ ABSL_GUARDED_BY(mutex_) = 0;
  uint32_t waiting_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace volcrypt
