#include "encryptors/private_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "temporary_directory.h"

namespace volcrypt {
namespace {

using testing::HasSubstr;

mode_t ModeOf(const std::string& path) {
  struct stat found = {};
  EXPECT_EQ(stat(path.c_str(), &found), 0) << path;
  return found.st_mode & 07777;
}

TEST(PrivateDirectory, IsMadeForRootAloneWhateverTheUmask) {
  const TemporaryDirectory directory;
  for (const mode_t mask : {0000, 0077, 0777}) {
    const std::string path = directory / ("d" + std::to_string(mask));
    const mode_t before = umask(mask);
    const absl::Status status = EnsurePrivateDirectory(path);
    umask(before);
    ASSERT_TRUE(status.ok()) << status;
    EXPECT_EQ(ModeOf(path), 0700U);
  }
}

TEST(PrivateDirectory, MissingParentsAreMadeAndCanBeEntered) {
  const TemporaryDirectory directory;
  ASSERT_TRUE(EnsurePrivateDirectory(directory / "a/b/c").ok());
  EXPECT_EQ(ModeOf(directory / "a"), 0755U);
  EXPECT_EQ(ModeOf(directory / "a/b"), 0755U);
  EXPECT_EQ(ModeOf(directory / "a/b/c"), 0700U);
}

TEST(PrivateDirectory, ExistingOneIsLeftAsItIs) {
  const TemporaryDirectory directory;
  ASSERT_EQ(mkdir((directory / "d").c_str(), 0), 0);
  ASSERT_EQ(chmod((directory / "d").c_str(), 0755), 0);
  std::ofstream(directory / "d/record") << "x";
  EXPECT_TRUE(EnsurePrivateDirectory(directory / "d").ok());
  EXPECT_EQ(ModeOf(directory / "d"), 0755U);
  EXPECT_TRUE(std::filesystem::exists(directory / "d/record"));
}

TEST(PrivateDirectory, OneThatOthersCanWriteIsRefused) {
  const TemporaryDirectory directory;
  ASSERT_EQ(mkdir((directory / "d").c_str(), 0700), 0);
  for (const mode_t mode : {0770, 0720, 0702, 01777}) {
    ASSERT_EQ(chmod((directory / "d").c_str(), mode), 0);
    const absl::Status status = EnsurePrivateDirectory(directory / "d");
    EXPECT_TRUE(absl::IsFailedPrecondition(status)) << std::oct << mode;
    EXPECT_THAT(std::string(status.message()), HasSubstr(directory / "d"));
  }
}

TEST(PrivateDirectory, OneOfAnotherUserIsRefused) {
  const TemporaryDirectory directory;
  ASSERT_EQ(mkdir((directory / "d").c_str(), 0700), 0);
  ASSERT_EQ(chown((directory / "d").c_str(), 65534, 65534), 0);
  const absl::Status status = EnsurePrivateDirectory(directory / "d");
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("65534"));
}

TEST(PrivateDirectory, LinkToAnothersDirectoryIsRefused) {
  const TemporaryDirectory directory;
  ASSERT_EQ(mkdir((directory / "d").c_str(), 0700), 0);
  ASSERT_EQ(chown((directory / "d").c_str(), 65534, 65534), 0);
  ASSERT_EQ(symlink((directory / "d").c_str(), (directory / "link").c_str()), 0);
  EXPECT_FALSE(EnsurePrivateDirectory(directory / "link").ok());
}

TEST(PrivateDirectory, FileInItsPlaceIsRefused) {
  const TemporaryDirectory directory;
  std::ofstream(directory / "d") << "x";
  EXPECT_FALSE(EnsurePrivateDirectory(directory / "d").ok());
  EXPECT_FALSE(EnsurePrivateDirectory(directory / "d/e").ok());
}

TEST(PrivateDirectory, PathMustBeAbsolute) {
  EXPECT_TRUE(absl::IsInvalidArgument(EnsurePrivateDirectory("")));
  EXPECT_TRUE(absl::IsInvalidArgument(EnsurePrivateDirectory("state")));
}

}  // namespace
}  // namespace volcrypt
