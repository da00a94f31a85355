#include "agent/privileges.h"

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>

#include "tests/unit/rpc/in_child.h"
#include "tests/unit/temp_directory.h"

namespace volcrypt {
namespace {

Account SomeAccount() { return {.name = "somebody", .uid = 4001, .gid = 4002, .groups = {4002, 4003}}; }

TEST(Privileges, AccountsHaveTheirGroups) {
  const std::optional<Account> daemon = FindAccount("daemon");
  ASSERT_TRUE(daemon.has_value());
  EXPECT_EQ(daemon->name, "daemon");
  EXPECT_NE(daemon->uid, 0U);
  EXPECT_TRUE(std::ranges::count(daemon->groups, daemon->gid) == 1);
  EXPECT_FALSE(FindAccount("no-such-user").has_value());
}

TEST(Privileges, RootIsGivenUpForGood) {
  EXPECT_EQ(InChild([] {
              if (!BecomeAccount(SomeAccount()).ok()) return 1;
              if (getuid() != 4001 || geteuid() != 4001 || getgid() != 4002 || getegid() != 4002) return 2;
              std::vector<gid_t> groups(8);
              groups.resize(static_cast<size_t>(getgroups(8, groups.data())));
              std::ranges::sort(groups);
              if (groups != std::vector<gid_t>{4002, 4003}) return 3;
              if (setuid(0) == 0 || seteuid(0) == 0 || setgid(0) == 0) return 4;
              return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0 : 5;
            }),
            0);
}

TEST(Privileges, DumpsAreForbidden) {
  EXPECT_EQ(InChild([] {
              if (!ForbidDumps().ok()) return 1;
              rlimit limit{};
              if (getrlimit(RLIMIT_CORE, &limit) != 0 || limit.rlim_max != 0) return 2;
              return prctl(PR_GET_DUMPABLE) == 0 ? 0 : 3;
            }),
            0);
}

TEST(Privileges, ActingAsSomebodyEndsWithItsScope) {
  EXPECT_EQ(InChild([] {
              {
                const ActAs somebody(SomeAccount());
                if (!somebody.status().ok() || geteuid() != 4001 || getegid() != 4002) return 1;
              }
              return geteuid() == 0 && getegid() == 0 ? 0 : 2;
            }),
            0);
}

class PrepareDirectoryTest : public testing::Test {
 protected:
  struct stat Status() const {
    struct stat status {};
    EXPECT_EQ(lstat(path_.c_str(), &status), 0);
    return status;
  }

  TempDirectory directory_;
  const std::string path_ = directory_.Path("run");
};

TEST_F(PrepareDirectoryTest, MissingDirectoryIsMadeForItsOwner) {
  ASSERT_TRUE(PrepareDirectory(path_, 0750, SomeAccount()).ok());
  EXPECT_EQ(Status().st_uid, 4001U);
  EXPECT_EQ(Status().st_gid, 4002U);
  EXPECT_EQ(Status().st_mode & 07777, 0750U);
  EXPECT_TRUE(PrepareDirectory(path_, 0750, SomeAccount()).ok());
}

TEST_F(PrepareDirectoryTest, RootsDirectoryIsHandedOver) {
  ASSERT_EQ(mkdir(path_.c_str(), 0700), 0);
  ASSERT_TRUE(PrepareDirectory(path_, 0755, SomeAccount()).ok());
  EXPECT_EQ(Status().st_uid, 4001U);
  EXPECT_EQ(Status().st_mode & 07777, 0755U);
}

TEST_F(PrepareDirectoryTest, DirectoryOfSomebodyElseIsLeftAlone) {
  ASSERT_EQ(mkdir(path_.c_str(), 0700), 0);
  ASSERT_EQ(chown(path_.c_str(), 4100, 4100), 0);
  ASSERT_TRUE(PrepareDirectory(path_, 0755, SomeAccount()).ok());
  EXPECT_EQ(Status().st_uid, 4100U);
  EXPECT_EQ(Status().st_mode & 07777, 0700U);
}

TEST_F(PrepareDirectoryTest, LinksAreNotFollowed) {
  const std::string target = directory_.Path("target");
  ASSERT_EQ(mkdir(target.c_str(), 0700), 0);
  ASSERT_EQ(symlink(target.c_str(), path_.c_str()), 0);
  EXPECT_FALSE(PrepareDirectory(path_, 0755, SomeAccount()).ok());
  struct stat status {};
  ASSERT_EQ(stat(target.c_str(), &status), 0);
  EXPECT_EQ(status.st_uid, 0U);
}

}  // namespace
}  // namespace volcrypt
