#include "agent/operation_slots.h"

#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "encryptors/reason.h"

namespace volcrypt {
namespace {

absl::Time Soon() { return absl::Now() + absl::Seconds(20); }

// Returns when that many threads wait, or after a bounded time.
void AwaitWaiting(const OperationSlots& slots, uint32_t count) {
  const absl::Time limit = Soon();
  while (slots.Waiting() != count && absl::Now() < limit) std::this_thread::yield();
  ASSERT_EQ(slots.Waiting(), count);
}

TEST(OperationSlots, SlotsAreGivenUpToTheLimitAndComeBack) {
  OperationSlots slots(2, 0);
  std::optional<OperationSlots::Slot> first;
  first.emplace(*slots.Take(absl::InfinitePast()));
  const auto second = slots.Take(absl::InfinitePast());
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(slots.Running(), 2U);
  EXPECT_TRUE(HasReason(slots.Take(Soon()).status(), Reason::kTooManyOperations));
  first.reset();
  EXPECT_EQ(slots.Running(), 1U);
  EXPECT_TRUE(slots.Take(absl::InfinitePast()).ok());
}

TEST(OperationSlots, MovedSlotIsGivenBackOnce) {
  OperationSlots slots(2, 0);
  {
    OperationSlots::Slot slot = *slots.Take(Soon());
    const OperationSlots::Slot moved(std::move(slot));
    EXPECT_EQ(slots.Running(), 1U);
  }
  EXPECT_EQ(slots.Running(), 0U);
}

TEST(OperationSlots, WaitEndsAtTheDeadline) {
  OperationSlots slots(1, 1);
  const auto held = slots.Take(Soon());
  const absl::Time deadline = absl::Now() + absl::Milliseconds(20);
  EXPECT_TRUE(HasReason(slots.Take(deadline).status(), Reason::kTooManyOperations));
  EXPECT_GE(absl::Now(), deadline);
  EXPECT_EQ(slots.Waiting(), 0U);
  EXPECT_EQ(slots.Running(), 1U);
}

TEST(OperationSlots, DeadlineThatHasPassedDoesNotWait) {
  OperationSlots slots(1, 1);
  const auto held = slots.Take(Soon());
  EXPECT_TRUE(HasReason(slots.Take(absl::InfinitePast()).status(), Reason::kTooManyOperations));
  EXPECT_TRUE(HasReason(slots.Take(absl::Now() - absl::Seconds(1)).status(), Reason::kTooManyOperations));
}

TEST(OperationSlots, FullQueueIsRefusedAtOnce) {
  OperationSlots slots(1, 1);
  std::optional<OperationSlots::Slot> held;
  held.emplace(*slots.Take(Soon()));
  std::thread waiter([&slots] { EXPECT_TRUE(slots.Take(absl::InfiniteFuture()).ok()); });
  AwaitWaiting(slots, 1);
  const absl::Status refused = slots.Take(absl::InfiniteFuture()).status();
  EXPECT_TRUE(HasReason(refused, Reason::kTooManyOperations));
  EXPECT_EQ(MetadataOf(refused)["waiting"], "1");
  held.reset();
  waiter.join();
  EXPECT_EQ(slots.Running(), 0U);
}

TEST(OperationSlots, WaitersAreServedInOrder) {
  OperationSlots slots(1, 3);
  std::optional<OperationSlots::Slot> held;
  held.emplace(*slots.Take(Soon()));
  std::vector<int> order;  // written by whoever holds the only slot
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&slots, &order, i] {
      const auto slot = slots.Take(Soon());
      EXPECT_TRUE(slot.ok());
      order.push_back(i);
    });
    AwaitWaiting(slots, static_cast<uint32_t>(i + 1));
  }
  held.reset();
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2}));
}

TEST(OperationSlots, NeverMoreThanTheLimitRunWhateverThreadsDo) {
  constexpr uint32_t kLimit = 3;
  OperationSlots slots(kLimit, 16);
  std::atomic<uint32_t> running = 0;
  std::atomic<uint32_t> served = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 200; ++round) {
        const auto slot = slots.Take(Soon());
        ASSERT_TRUE(slot.ok());
        EXPECT_LE(++running, kLimit);
        std::this_thread::yield();
        --running;
        ++served;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(served, 1600U);
  EXPECT_EQ(slots.Running(), 0U);
  EXPECT_EQ(slots.Waiting(), 0U);
}

TEST(OperationSlots, SlotThatArrivesWithTheDeadlineIsNotLost) {
  OperationSlots slots(1, 8);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&slots] {
      for (int round = 0; round < 300; ++round) {
        const auto slot = slots.Take(absl::Now() + absl::Microseconds(round));
        if (slot.ok()) std::this_thread::yield();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(slots.Running(), 0U);
  EXPECT_TRUE(slots.Take(absl::InfinitePast()).ok());
}

}  // namespace
}  // namespace volcrypt
