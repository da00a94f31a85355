#include "agent/busy_volumes.h"

#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "encryptors/reason.h"

namespace volcrypt {
namespace {

TEST(BusyVolumesTest, HeldVolumeIsBusyUntilItIsGivenBack) {
  BusyVolumes volumes;
  std::optional<absl::StatusOr<BusyVolumes::Hold>> first(volumes.Take("vol-1"));
  ASSERT_TRUE(first->ok());
  EXPECT_TRUE(HasReason(volumes.Take("vol-1").status(), Reason::kOperationInProgress));
  EXPECT_TRUE(volumes.Take("vol-2").ok());
  first.reset();
  EXPECT_TRUE(volumes.Take("vol-1").ok());
}

TEST(BusyVolumesTest, MovedHoldIsGivenBackOnce) {
  BusyVolumes volumes;
  absl::StatusOr<BusyVolumes::Hold> hold = volumes.Take("vol-1");
  ASSERT_TRUE(hold.ok());
  {
    const BusyVolumes::Hold moved = *std::move(hold);
    EXPECT_FALSE(volumes.Take("vol-1").ok());
  }
  EXPECT_TRUE(volumes.Take("vol-1").ok());
}

TEST(BusyVolumesTest, OneThreadAtATimeHoldsAVolume) {
  BusyVolumes volumes;
  std::atomic<int> inside = 0;
  std::atomic<bool> overlapped = false;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 500; ++round) {
        const absl::StatusOr<BusyVolumes::Hold> hold = volumes.Take("vol-1");
        if (!hold.ok()) continue;
        if (inside.fetch_add(1) != 0) overlapped = true;
        inside.fetch_sub(1);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_FALSE(overlapped);
}

}  // namespace
}  // namespace volcrypt
