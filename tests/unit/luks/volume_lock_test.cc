#include "encryptors/volume_lock.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

#include "encryptors/reason.h"

namespace volcrypt {
namespace {

class VolumeLockTest : public testing::Test {
 protected:
  VolumeLockTest() {
    std::string name = "/tmp/volcrypt-locks-XXXXXX";
    directory_ = mkdtemp(name.data());
  }
  ~VolumeLockTest() override { std::filesystem::remove_all(directory_); }

  std::string directory_;
};

TEST_F(VolumeLockTest, ASecondOperationIsRefusedAtOnce) {
  const absl::StatusOr<VolumeLock> first = VolumeLock::Take(directory_, "vol-1");
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_TRUE(HasReason(VolumeLock::Take(directory_, "vol-1").status(), Reason::kOperationInProgress));
  EXPECT_TRUE(VolumeLock::Take(directory_, "vol-2").ok());
}

TEST_F(VolumeLockTest, IsFreeAfterItsOwner) {
  { ASSERT_TRUE(VolumeLock::Take(directory_, "vol-1").ok()); }
  EXPECT_TRUE(VolumeLock::Take(directory_, "vol-1").ok());
}

TEST_F(VolumeLockTest, WithoutItsDirectoryNothingRuns) {
  EXPECT_TRUE(HasReason(VolumeLock::Take(directory_ + "/missing", "v").status(), Reason::kStateNotWritable));
}

}  // namespace
}  // namespace volcrypt
