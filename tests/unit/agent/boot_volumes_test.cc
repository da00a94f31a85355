#include "agent/boot_volumes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/unit/temp_directory.h"

namespace volcrypt {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr char kLeast[] = "device = \"/dev/vdb\"\nkey = \"3f6c1b34-6d4d-4e9b-8f1d-0a7c5a1e9d10\"\n";

std::vector<std::string> ErrorsOf(const BootVolumes& found) {
  std::vector<std::string> errors;
  for (const ConfigError& error : found.errors) errors.push_back(ToString(error));
  return errors;
}

class BootVolumesTest : public testing::Test {
 protected:
  BootVolumesTest() { std::filesystem::create_directory(directory_.Path("volumes.d")); }

  void Write(const std::string& name, const std::string& text) const { directory_.Write("volumes.d/" + name, text); }
  BootVolumes Load() const { return LoadBootVolumes(BootVolumesDirectory(directory_.Path("volcryptd.toml"))); }

  TempDirectory directory_;
};

TEST(BootVolume, FileNeedsDeviceAndKeyAndFormatsNothing) {
  const BootVolumes found = ParseBootVolume(kLeast, "/etc/volcrypt/volumes.d/scratch.toml");
  ASSERT_THAT(ErrorsOf(found), IsEmpty());
  ASSERT_THAT(found.volumes, SizeIs(1));
  const AttachCall& call = found.volumes[0].call;
  EXPECT_EQ(call.volume_id, "scratch");
  EXPECT_EQ(call.device, "/dev/vdb");
  EXPECT_EQ(call.key->key_id, "3f6c1b34-6d4d-4e9b-8f1d-0a7c5a1e9d10");
  EXPECT_EQ(call.first_use, FirstUsePolicy::kRefuse);
  EXPECT_EQ(call.mode, AttachMode::kUnspecified);
  EXPECT_FALSE(call.caller_is_admin);
}

TEST(BootVolume, FileMaySayEverythingOfAnAttach) {
  const BootVolumes found = ParseBootVolume(std::string(kLeast) +
                                                "volume_id = \"vol-1\"\nkey_manager = \"barbican\"\n"
                                                "first_use = \"format-if-blank\"\nformat = \"luks1\"\n"
                                                "cipher = \"aes-cbc-essiv:sha256\"\nkey_size_bits = 256\n"
                                                "sector_size_bytes = 512\nread_only = true\nallow_discards = true\n",
                                            "x.toml");
  ASSERT_THAT(ErrorsOf(found), IsEmpty());
  const AttachCall& call = found.volumes.at(0).call;
  EXPECT_EQ(call.volume_id, "vol-1");
  EXPECT_EQ(call.key->key_manager, "barbican");
  EXPECT_EQ(call.first_use, FirstUsePolicy::kFormatIfBlank);
  EXPECT_EQ(call.encryption.format, Format::kLuks1);
  EXPECT_EQ(call.encryption.cipher, "aes-cbc-essiv:sha256");
  EXPECT_EQ(call.encryption.key_size_bits, 256U);
  EXPECT_EQ(call.encryption.sector_size_bytes, 512U);
  EXPECT_TRUE(call.read_only);
  EXPECT_TRUE(call.allow_discards);
}

TEST(BootVolume, WhatIsWrongIsToldWithFileLineAndKey) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "x.toml:1: has no device"},
      {"device = \"/dev/vdb\"\n", "x.toml:1: has no key"},
      {std::string(kLeast) + "device_name = 1\n", "x.toml:3: device_name: "},
      {std::string(kLeast) + "first_use = \"yes\"\n", "x.toml:3: first_use: "},
      {std::string(kLeast) + "volume_id = \"../etc\"\n", "x.toml:3: volume_id: "},
      {std::string(kLeast) + "read_only = \"yes\"\n", "x.toml:3: read_only: "},
      {"device = \"vdb\"\nkey = \"k\"\n", "x.toml:1: device: "},
      {"device = ", "x.toml:1: is not TOML"},
  };
  for (const auto& [text, error] : cases) {
    const BootVolumes found = ParseBootVolume(text, "x.toml");
    EXPECT_THAT(found.volumes, IsEmpty()) << text;
    EXPECT_THAT(ErrorsOf(found), testing::Contains(HasSubstr(error))) << text;
  }
  EXPECT_THAT(ErrorsOf(ParseBootVolume(kLeast, "no id.toml")), ElementsAre(HasSubstr("set volume_id")));
}

TEST(BootVolume, KeyInTheIdsPlaceIsNotRepeated) {
  const std::string key(64, 'a');
  const BootVolumes found = ParseBootVolume("device = \"/dev/vdb\"\nkey = \"" + key + " " + key + "\"\n", "x.toml");
  ASSERT_THAT(found.errors, SizeIs(1));
  EXPECT_EQ(ToString(found.errors[0]).find(key), std::string::npos);
}

TEST(BootVolume, OfAUrlOnlyTheKeysIdIsKept) {
  const BootVolumes found = ParseBootVolume(
      "device = \"/dev/vdb\"\nkey = \"https://user:pw@host/v1/secrets/3f6c1b34-6d4d-4e9b-8f1d-0a7c5a1e9d10\"\n",
      "x.toml");
  ASSERT_THAT(ErrorsOf(found), IsEmpty());
  EXPECT_EQ(found.volumes[0].call.key->key_id, "3f6c1b34-6d4d-4e9b-8f1d-0a7c5a1e9d10");
}

TEST_F(BootVolumesTest, WithoutADirectoryThereAreNone) {
  std::filesystem::remove(directory_.Path("volumes.d"));
  EXPECT_THAT(Load().volumes, IsEmpty());
  EXPECT_THAT(ErrorsOf(Load()), IsEmpty());
}

TEST_F(BootVolumesTest, WrongFileKeepsNoOtherOut) {
  Write("b.toml", kLeast);
  Write("a.toml", "device = 1\n");
  Write(".hidden.toml", "nonsense");
  Write("c.txt", "nonsense");
  Write("large.toml", std::string(40000, '#'));
  const BootVolumes found = Load();
  ASSERT_THAT(found.volumes, SizeIs(1));
  EXPECT_EQ(found.volumes[0].call.volume_id, "b");
  EXPECT_THAT(ErrorsOf(found), testing::Each(testing::AnyOf(HasSubstr("/a.toml"), HasSubstr("/large.toml"))));
}

TEST_F(BootVolumesTest, OfTwoFilesOfOneVolumeNeitherCounts) {
  Write("a.toml", kLeast);
  Write("b.toml", std::string(kLeast) + "volume_id = \"a\"\n");
  Write("c.toml", kLeast);
  const BootVolumes found = Load();
  ASSERT_THAT(found.volumes, SizeIs(1));
  EXPECT_EQ(found.volumes[0].call.volume_id, "c");
  EXPECT_THAT(ErrorsOf(found),
              ElementsAre(HasSubstr("/b.toml: volume_id: volume a is described by more than one file")));
}

TEST_F(BootVolumesTest, ThereIsALimit) {
  for (size_t i = 0; i <= kMaxBootVolumes; ++i) Write("v" + std::to_string(i) + ".toml", kLeast);
  const BootVolumes found = Load();
  EXPECT_THAT(found.volumes, SizeIs(kMaxBootVolumes));
  EXPECT_THAT(ErrorsOf(found), ElementsAre(HasSubstr("more than 64 volumes")));
}

}  // namespace
}  // namespace volcrypt
