#include "encryptors/private_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/unit/temp_directory.h"

namespace volcrypt {
namespace {

using testing::HasSubstr;

mode_t ModeOf(const std::string& path) {
  struct stat found = {};
  EXPECT_EQ(stat(path.c_str(), &found), 0) << path;
  return found.st_mode & 07777;
}

TEST(PrivateDirectory, IsMadeForRootAloneWhateverTheUmask) {
  const TempDirectory directory;
  for (const mode_t mask : {0000, 0077, 0777}) {
    const std::string path = directory.Path("d" + std::to_string(mask));
    const mode_t before = umask(mask);
    const absl::Status status = EnsurePrivateDirectory(path);
    umask(before);
    ASSERT_TRUE(status.ok()) << status;
    EXPECT_EQ(ModeOf(path), 0700U);
  }
}

TEST(PrivateDirectory, MissingParentsAreMadeAndCanBeEntered) {
  const TempDirectory directory;
  ASSERT_TRUE(EnsurePrivateDirectory(directory.Path("a/b/c")).ok());
  EXPECT_EQ(ModeOf(directory.Path("a")), 0755U);
  EXPECT_EQ(ModeOf(directory.Path("a/b")), 0755U);
  EXPECT_EQ(ModeOf(directory.Path("a/b/c")), 0700U);
}

TEST(PrivateDirectory, ExistingOneIsLeftAsItIs) {
  const TempDirectory directory;
  ASSERT_EQ(mkdir(directory.Path("d").c_str(), 0), 0);
  ASSERT_EQ(chmod(directory.Path("d").c_str(), 0755), 0);
  std::ofstream(directory.Path("d/record")) << "x";
  EXPECT_TRUE(EnsurePrivateDirectory(directory.Path("d")).ok());
  EXPECT_EQ(ModeOf(directory.Path("d")), 0755U);
  EXPECT_TRUE(std::filesystem::exists(directory.Path("d/record")));
}

TEST(PrivateDirectory, OneThatOthersCanWriteIsRefused) {
  const TempDirectory directory;
  ASSERT_EQ(mkdir(directory.Path("d").c_str(), 0700), 0);
  for (const mode_t mode : {0770, 0720, 0702, 01777}) {
    ASSERT_EQ(chmod(directory.Path("d").c_str(), mode), 0);
    const absl::Status status = EnsurePrivateDirectory(directory.Path("d"));
    EXPECT_TRUE(absl::IsFailedPrecondition(status)) << std::oct << mode;
    EXPECT_THAT(std::string(status.message()), HasSubstr(directory.Path("d")));
  }
}

TEST(PrivateDirectory, OneOfAnotherUserIsRefused) {
  const TempDirectory directory;
  ASSERT_EQ(mkdir(directory.Path("d").c_str(), 0700), 0);
  ASSERT_EQ(chown(directory.Path("d").c_str(), 65534, 65534), 0);
  const absl::Status status = EnsurePrivateDirectory(directory.Path("d"));
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("65534"));
}

TEST(PrivateDirectory, LinkToAnothersDirectoryIsRefused) {
  const TempDirectory directory;
  ASSERT_EQ(mkdir(directory.Path("d").c_str(), 0700), 0);
  ASSERT_EQ(chown(directory.Path("d").c_str(), 65534, 65534), 0);
  ASSERT_EQ(symlink(directory.Path("d").c_str(), directory.Path("link").c_str()), 0);
  EXPECT_FALSE(EnsurePrivateDirectory(directory.Path("link")).ok());
}

TEST(PrivateDirectory, FileInItsPlaceIsRefused) {
  const TempDirectory directory;
  std::ofstream(directory.Path("d")) << "x";
  EXPECT_FALSE(EnsurePrivateDirectory(directory.Path("d")).ok());
  EXPECT_FALSE(EnsurePrivateDirectory(directory.Path("d/e")).ok());
}

TEST(PrivateDirectory, PathMustBeAbsolute) {
  EXPECT_TRUE(absl::IsInvalidArgument(EnsurePrivateDirectory("")));
  EXPECT_TRUE(absl::IsInvalidArgument(EnsurePrivateDirectory("state")));
}

}  // namespace
}  // namespace volcrypt
