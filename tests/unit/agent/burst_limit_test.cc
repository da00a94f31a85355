#include "agent/burst_limit.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace volcrypt {
namespace {

constexpr absl::Time kStart = absl::UnixEpoch();

uint64_t Told(BurstLimit& limit, const std::string& source, int times, absl::Time now = kStart) {
  uint64_t told = 0;
  for (int i = 0; i < times; ++i) told += limit.Take(source, now) ? 1 : 0;
  return told;
}

TEST(BurstLimit, EachSourceHasItsOwnBurst) {
  BurstLimit limit;
  EXPECT_EQ(Told(limit, "uid 1", 100), BurstLimit::kMost);
  EXPECT_EQ(Told(limit, "uid 2", 100), BurstLimit::kMost);
}

TEST(BurstLimit, WhatIsLeftOutIsCountedOnceAndTheNextMinuteBeginsAnew) {
  BurstLimit limit;
  Told(limit, "uid 1", 100);
  Told(limit, "uid 2", 1);
  EXPECT_TRUE(limit.TakeLeftOut(kStart + BurstLimit::kInterval - absl::Seconds(1)).empty());
  const auto left_out = limit.TakeLeftOut(kStart + BurstLimit::kInterval);
  ASSERT_EQ(left_out.size(), 1U);
  EXPECT_EQ(left_out[0].source, "uid 1");
  EXPECT_EQ(left_out[0].count, 100 - BurstLimit::kMost);
  EXPECT_TRUE(limit.TakeLeftOut(kStart + 2 * BurstLimit::kInterval).empty());
  EXPECT_EQ(Told(limit, "uid 1", 100, kStart + BurstLimit::kInterval), BurstLimit::kMost);
}

TEST(BurstLimit, ClockThatIsSetBackEndsTheMinute) {
  BurstLimit limit;
  Told(limit, "uid 1", 100);
  EXPECT_EQ(limit.TakeLeftOut(kStart - absl::Hours(1)).size(), 1U);
  EXPECT_TRUE(limit.Take("uid 1", kStart - absl::Hours(1)));
}

TEST(BurstLimit, SourcesWithoutEndShareOneBurstAndTheKnownOnesKeepTheirs) {
  BurstLimit limit;
  const int sources = 10000;
  EXPECT_EQ(Told(limit, "uid 1", 1), 1U);
  uint64_t told = 0;
  for (int i = 0; i < sources; ++i) told += Told(limit, absl::StrCat("certificate ", i), 1);
  EXPECT_EQ(told, BurstLimit::kMaxSources - 1 + BurstLimit::kMost);
  EXPECT_EQ(Told(limit, "uid 1", 1), 1U);
  const auto left_out = limit.TakeLeftOut(absl::InfiniteFuture());
  ASSERT_EQ(left_out.size(), 1U);
  EXPECT_EQ(left_out[0].source, BurstLimit::kOthers);
  EXPECT_EQ(left_out[0].count, sources - told);
}

}  // namespace
}  // namespace volcrypt
