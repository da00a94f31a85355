#include "encryptors/volume_lock.h"

#include <gtest/gtest.h>

#include "encryptors/reason.h"
#include "tests/unit/temp_directory.h"

namespace volcrypt {
namespace {

class VolumeLockTest : public testing::Test {
 protected:
  TempDirectory directory_;
};

TEST_F(VolumeLockTest, ASecondOperationIsRefusedAtOnce) {
  const absl::StatusOr<VolumeLock> first = VolumeLock::Take(directory_.Path(), "vol-1");
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_TRUE(HasReason(VolumeLock::Take(directory_.Path(), "vol-1").status(), Reason::kOperationInProgress));
  EXPECT_TRUE(VolumeLock::Take(directory_.Path(), "vol-2").ok());
}

TEST_F(VolumeLockTest, IsFreeAfterItsOwner) {
  { ASSERT_TRUE(VolumeLock::Take(directory_.Path(), "vol-1").ok()); }
  EXPECT_TRUE(VolumeLock::Take(directory_.Path(), "vol-1").ok());
}

TEST_F(VolumeLockTest, WithoutItsDirectoryNothingRuns) {
  EXPECT_TRUE(HasReason(VolumeLock::Take(directory_.Path("missing"), "v").status(), Reason::kStateNotWritable));
}

}  // namespace
}  // namespace volcrypt
