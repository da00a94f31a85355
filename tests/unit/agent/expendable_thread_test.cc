#include "agent/expendable_thread.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>

#include "absl/synchronization/notification.h"

namespace volcrypt {
namespace {

using IsAwaited = ExpendableThread::IsAwaited;

// A call that hangs until it is let go on, whoever still waits for it.
struct Hanging {
  absl::Notification has_begun;
  absl::Notification goes_on;
  absl::Notification has_ended;
  std::atomic<bool> was_awaited = true;
};

ExpendableThread::Work HangIn(const std::shared_ptr<Hanging>& hanging) {
  return [hanging](const IsAwaited& is_awaited) {
    hanging->has_begun.Notify();
    hanging->goes_on.WaitForNotification();
    hanging->was_awaited = is_awaited();
    hanging->has_ended.Notify();
    return absl::OkStatus();
  };
}

// A call that was not begun in time is not made, so it is tried again.
void Hang(ExpendableThread& thread, const std::shared_ptr<Hanging>& hanging) {
  while (!hanging->has_begun.HasBeenNotified()) {
    EXPECT_EQ(thread.Run(HangIn(hanging), absl::Milliseconds(20)), std::nullopt);
  }
}

TEST(ExpendableThreadTest, AnswersWhatCameOfTheWork) {
  ExpendableThread thread;
  const auto fail = [](const IsAwaited& is_awaited) {
    return absl::NotFoundError(is_awaited() ? "awaited" : "not awaited");
  };
  EXPECT_EQ(thread.Run(fail, absl::InfiniteDuration()), absl::NotFoundError("awaited"));
  EXPECT_EQ(thread.BusyFor(), absl::ZeroDuration());
}

TEST(ExpendableThreadTest, WhoWaitsForAHungCallWaitsNoLongerThanHeWants) {
  const auto hanging = std::make_shared<Hanging>();
  ExpendableThread thread;
  Hang(thread, hanging);
  EXPECT_GT(thread.BusyFor(), absl::ZeroDuration());
  hanging->goes_on.Notify();
  hanging->has_ended.WaitForNotification();
  EXPECT_FALSE(hanging->was_awaited);
}

TEST(ExpendableThreadTest, WorkWhoseTurnDoesNotComeInTimeIsNotDone) {
  const auto hanging = std::make_shared<Hanging>();
  auto done = std::make_shared<std::atomic<int>>(0);
  const auto count = [done](const IsAwaited&) {
    ++*done;
    return absl::OkStatus();
  };
  ExpendableThread thread;
  Hang(thread, hanging);
  EXPECT_EQ(thread.Run(count, absl::Milliseconds(10)), std::nullopt);
  hanging->goes_on.Notify();
  EXPECT_EQ(thread.Run(count, absl::InfiniteDuration()), absl::OkStatus());
  EXPECT_EQ(*done, 1);
}

TEST(ExpendableThreadTest, EndsWithItsLastCall) {
  auto last = std::make_shared<std::string>();
  {
    ExpendableThread thread([last] { *last += "at end"; });
    thread.Run(
        [last](const IsAwaited&) {
          *last += "work, ";
          return absl::OkStatus();
        },
        absl::InfiniteDuration());
  }
  EXPECT_EQ(*last, "work, at end");
}

TEST(ExpendableThreadTest, OneThatHangsIsLeftBehind) {
  const auto hanging = std::make_shared<Hanging>();
  {
    ExpendableThread thread;
    Hang(thread, hanging);
  }
  hanging->goes_on.Notify();
  hanging->has_ended.WaitForNotification();
}

}  // namespace
}  // namespace volcrypt
