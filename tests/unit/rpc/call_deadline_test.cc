#include <gtest/gtest.h>

#include "agent/rpc/call.h"

namespace volcrypt {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'000'000);

TEST(CallDeadline, ConfiguredTimeCountsForCallersWithout) {
  EXPECT_EQ(CallDeadline(kNow, absl::InfiniteFuture(), absl::Seconds(60)), kNow + absl::Seconds(60));
}

TEST(CallDeadline, ConfiguredTimeCountsForPatientCallers) {
  EXPECT_EQ(CallDeadline(kNow, kNow + absl::Hours(1), absl::Seconds(60)), kNow + absl::Seconds(60));
}

TEST(CallDeadline, CallersDeadlineCountsLessTheTimeOfTheAnswer) {
  EXPECT_EQ(CallDeadline(kNow, kNow + absl::Seconds(10), absl::Seconds(60)), kNow + absl::Milliseconds(9800));
}

TEST(CallDeadline, ShortDeadlinesKeepMostOfTheirTime) {
  EXPECT_EQ(CallDeadline(kNow, kNow + absl::Milliseconds(100), absl::Seconds(60)), kNow + absl::Milliseconds(90));
}

TEST(CallDeadline, PastDeadlinesStayInThePast) {
  EXPECT_EQ(CallDeadline(kNow, kNow - absl::Seconds(1), absl::Seconds(60)), kNow - absl::Seconds(1));
}

}  // namespace
}  // namespace volcrypt
