#include "encryptors/content_probe.h"

#include <gtest/gtest.h>

namespace volcrypt {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;

bool Covers(const std::vector<ByteRange>& ranges, uint64_t offset) {
  for (const ByteRange& range : ranges) {
    if (range.begin <= offset && offset < range.end) return true;
  }
  return false;
}

class BlankProofTest : public testing::TestWithParam<uint64_t> {};

TEST_P(BlankProofTest, ReadsHeadTailAndSamplesInOrder) {
  const uint64_t size = GetParam();
  const std::vector<ByteRange> ranges = BlankProofRanges(size, 0);
  ASSERT_FALSE(ranges.empty());
  EXPECT_EQ(ranges.front().begin, 0U);
  EXPECT_EQ(ranges.back().end, size);
  EXPECT_GE(ranges.front().end, std::min(size, kBlankHeadBytes));
  EXPECT_LE(ranges.back().begin, size > kBlankTailBytes ? size - kBlankTailBytes : 0);
  for (size_t i = 0; i < ranges.size(); ++i) {
    EXPECT_LT(ranges[i].begin, ranges[i].end);
    EXPECT_EQ(ranges[i].begin % kBlankSampleBytes, 0U);
    if (i > 0) {
      EXPECT_LE(ranges[i - 1].end, ranges[i].begin);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, BlankProofTest,
                         testing::Values(4096, kMiB, 16 * kMiB, 17 * kMiB, 17 * kMiB + 512, 18 * kMiB, 64 * kMiB,
                                         1000 * kMiB + 512, uint64_t{16} << 40));

TEST(BlankProofTest, SmallDevicesAreReadWhole) {
  const std::vector<ByteRange> ranges = BlankProofRanges(17 * kMiB, 0);
  ASSERT_EQ(ranges.size(), 1U);
  EXPECT_EQ(ranges[0].end, 17 * kMiB);
}

TEST(BlankProofTest, LargeDevicesAreSampledEverywhere) {
  const uint64_t size = uint64_t{1} << 40;
  const std::vector<ByteRange> ranges = BlankProofRanges(size, 0);
  EXPECT_EQ(ranges.size(), kBlankSamples + 2);
  uint64_t largest_gap = 0;
  for (size_t i = 1; i < ranges.size(); ++i) largest_gap = std::max(largest_gap, ranges[i].begin - ranges[i - 1].end);
  EXPECT_LE(largest_gap, size / kBlankSamples + kMiB);
}

TEST(BlankProofTest, BeginsWhereItIsTold) {
  const std::vector<ByteRange> ranges = BlankProofRanges(100 * kMiB, 2 * kMiB);
  EXPECT_EQ(ranges.front().begin, 2 * kMiB);
  EXPECT_FALSE(Covers(ranges, 0));
  EXPECT_TRUE(BlankProofRanges(kMiB, 2 * kMiB).empty());
}

TEST(DescribeSignaturesTest, NamesWhatIsWhere) {
  EXPECT_EQ(DescribeSignatures({{.type = "ext4", .offset_bytes = 1080}, {.type = "gpt", .offset_bytes = 512}}),
            "ext4 at byte 1080, gpt at byte 512");
}

}  // namespace
}  // namespace volcrypt
