#include "agent/mappings.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "tests/unit/temp_directory.h"

namespace volcrypt {
namespace {

constexpr char kDigits[] = "0123456789abcdef0123456789abcdef";
constexpr char kUuid[] = "01234567-89ab-cdef-0123-456789abcdef";

// A tree like the kernel's, as far as mappings are read from it: /sys/block/dm-N leads to the device's own directory,
// and slaves/NAME to the backing device's.
class MappingsTest : public testing::Test {
 protected:
  struct Dm {
    std::string name = "volcrypt-vol1";
    std::string uuid = std::string("CRYPT-LUKS2-") + kDigits + "-volcrypt-vol1";
    std::string size = "131072";
    std::string read_only = "0";
    std::string suspended = "0";
    std::string slave = "sda";
  };

  void AddMapping(int number, const Dm& dm) {
    const std::string device = "dm-" + std::to_string(number);
    const std::string directory = "devices/virtual/block/" + device;
    sysfs_.Write(directory + "/dm/name", dm.name + "\n");
    sysfs_.Write(directory + "/dm/uuid", dm.uuid + "\n");
    sysfs_.Write(directory + "/dm/suspended", dm.suspended + "\n");
    sysfs_.Write(directory + "/size", dm.size + "\n");
    sysfs_.Write(directory + "/ro", dm.read_only + "\n");
    std::filesystem::create_directories(sysfs_.Path(directory + "/slaves"));
    std::filesystem::create_directories(sysfs_.Path("block"));
    std::filesystem::create_symlink("../" + directory, sysfs_.Path("block/" + device));
    if (!dm.slave.empty()) AddSlave(number, dm.slave);
  }

  void AddSlave(int number, const std::string& slave) {
    std::filesystem::create_symlink("../../../../pci/block/" + slave, sysfs_.Path(DmPath(number) + "/slaves/" + slave));
    sysfs_.Write("devices/pci/block/" + slave + "/size", "131072\n");
  }

  void AddLoop(const std::string& slave, const std::string& file, const std::string& autoclear = "1") {
    sysfs_.Write("devices/pci/block/" + slave + "/loop/backing_file", file + "\n");
    sysfs_.Write("devices/pci/block/" + slave + "/loop/autoclear", autoclear + "\n");
  }

  static std::string DmPath(int number) { return "devices/virtual/block/dm-" + std::to_string(number); }

  std::vector<Mapping> List() const { return Mappings(sysfs_.Path()).List(); }

  TempDirectory sysfs_;
};

TEST_F(MappingsTest, MappingIsReadWhole) {
  AddMapping(0, {});
  const std::vector<Mapping> mappings = List();
  ASSERT_EQ(mappings.size(), 1U);
  const Mapping& mapping = mappings[0];
  EXPECT_EQ(mapping.volume_id, "vol1");
  EXPECT_EQ(mapping.state, MappingState::kActive);
  EXPECT_EQ(mapping.state_reason, "");
  EXPECT_EQ(mapping.device, "/dev/sda");
  EXPECT_EQ(mapping.device_path, "/dev/mapper/volcrypt-vol1");
  EXPECT_EQ(mapping.size_bytes, uint64_t{64} << 20);
  EXPECT_EQ(mapping.luks_uuid, kUuid);
  EXPECT_EQ(mapping.encryption.format, Format::kLuks2);
  EXPECT_FALSE(mapping.read_only);
}

TEST_F(MappingsTest, FormatFollowsFromTheDmUuid) {
  AddMapping(0, {.name = "volcrypt-a", .uuid = std::string("CRYPT-LUKS1-") + kDigits + "-volcrypt-a"});
  AddMapping(1, {.name = "volcrypt-b", .uuid = "CRYPT-PLAIN-volcrypt-b"});
  const std::vector<Mapping> mappings = List();
  ASSERT_EQ(mappings.size(), 2U);
  EXPECT_EQ(mappings[0].encryption.format, Format::kLuks1);
  EXPECT_EQ(mappings[0].luks_uuid, kUuid);
  EXPECT_EQ(mappings[1].encryption.format, Format::kPlain);
  EXPECT_EQ(mappings[1].luks_uuid, "");
}

TEST_F(MappingsTest, ReadOnlyAndSuspendedAreSeen) {
  AddMapping(0, {.read_only = "1", .suspended = "1"});
  const std::vector<Mapping> mappings = List();
  ASSERT_EQ(mappings.size(), 1U);
  EXPECT_TRUE(mappings[0].read_only);
  EXPECT_EQ(mappings[0].state, MappingState::kSuspended);
  EXPECT_NE(mappings[0].state_reason, "");
}

TEST_F(MappingsTest, WhatIsNotOursIsLeftOut) {
  const std::string digits = kDigits;
  const std::vector<Dm> foreign = {
      {.name = "crypt-vol1", .uuid = "CRYPT-LUKS2-" + digits + "-crypt-vol1"},
      {.name = "volcrypt-", .uuid = "CRYPT-LUKS2-" + digits + "-volcrypt-"},
      {.name = "volcrypt-a/b", .uuid = "CRYPT-LUKS2-" + digits + "-volcrypt-a/b"},
      {.name = "volcrypt-a", .uuid = ""},
      {.name = "volcrypt-a", .uuid = "LVM-" + digits},
      {.name = "volcrypt-a", .uuid = "CRYPT-LUKS2-" + digits + "-volcrypt-b"},
      {.name = "volcrypt-a", .uuid = "CRYPT-LUKS2-" + digits + "-volcrypt-a-late"},
      {.name = "volcrypt-a", .uuid = "CRYPT-LUKS2-" + digits + "volcrypt-a"},
      {.name = "volcrypt-a", .uuid = "CRYPT-LUKS2-" + digits.substr(1) + "-volcrypt-a"},
      {.name = "volcrypt-a", .uuid = "CRYPT-LUKS2-" + digits + "0-volcrypt-a"},
      {.name = "volcrypt-a", .uuid = "CRYPT-LUKS2-g" + digits.substr(1) + "-volcrypt-a"},
      {.name = "volcrypt-a", .uuid = "CRYPT-LUKS2-"},
      {.name = "volcrypt-a", .uuid = "CRYPT-LUKS3-" + digits + "-volcrypt-a"},
      {.name = "volcrypt-a", .uuid = "CRYPT-PLAIN-volcrypt-b"},
      {.name = "volcrypt-a", .uuid = "CRYPT-PLAIN-" + digits + "-volcrypt-a"},
      {.name = "volcrypt-a", .uuid = "xCRYPT-PLAIN-volcrypt-a"},
  };
  for (size_t i = 0; i < foreign.size(); ++i) AddMapping(static_cast<int>(i), foreign[i]);
  EXPECT_TRUE(List().empty());
  EXPECT_EQ(Mappings(sysfs_.Path()).Find("a"), std::nullopt);
}

TEST_F(MappingsTest, OtherBlockDevicesAreNotLookedAt) {
  AddMapping(0, {});
  std::filesystem::rename(sysfs_.Path("block/dm-0"), sysfs_.Path("block/sdb"));
  EXPECT_TRUE(List().empty());
}

TEST_F(MappingsTest, MappingOverAFileNamesTheFile) {
  AddMapping(0, {.slave = "loop7"});
  AddLoop("loop7", "/var/lib/volumes/with space.img");
  const std::vector<Mapping> mappings = List();
  ASSERT_EQ(mappings.size(), 1U);
  EXPECT_EQ(mappings[0].device, "/var/lib/volumes/with space.img");
  EXPECT_EQ(mappings[0].state, MappingState::kActive);
}

TEST_F(MappingsTest, MappingOverTheCallersOwnLoopDeviceNamesTheLoopDevice) {
  AddMapping(0, {.slave = "loop7"});
  AddLoop("loop7", "/var/lib/volumes/a.img (deleted)", /*autoclear=*/"0");
  const std::vector<Mapping> mappings = List();
  ASSERT_EQ(mappings.size(), 1U);
  EXPECT_EQ(mappings[0].device, "/dev/loop7");
  EXPECT_EQ(mappings[0].state, MappingState::kActive);
}

TEST_F(MappingsTest, DeletedBackingFileBreaksTheMapping) {
  AddMapping(0, {.slave = "loop7"});
  AddLoop("loop7", "/var/lib/volumes/a.img (deleted)");
  const std::vector<Mapping> mappings = List();
  ASSERT_EQ(mappings.size(), 1U);
  EXPECT_EQ(mappings[0].device, "/var/lib/volumes/a.img");
  EXPECT_EQ(mappings[0].state, MappingState::kBroken);
  EXPECT_NE(mappings[0].state_reason.find("/var/lib/volumes/a.img is deleted"), std::string::npos);
}

TEST_F(MappingsTest, LoopDeviceWithoutAFileBreaksTheMapping) {
  AddMapping(0, {.slave = "loop7"});
  ASSERT_EQ(List().size(), 1U);
  EXPECT_EQ(List()[0].state, MappingState::kBroken);
  EXPECT_EQ(List()[0].device, "/dev/loop7");
}

TEST_F(MappingsTest, DanglingLinkToTheBackingDeviceBreaksTheMappingAndStillNamesIt) {
  AddMapping(0, {.suspended = "1"});
  std::filesystem::remove_all(sysfs_.Path("devices/pci/block/sda"));
  const std::vector<Mapping> mappings = List();
  ASSERT_EQ(mappings.size(), 1U);
  EXPECT_EQ(mappings[0].state, MappingState::kBroken);
  EXPECT_EQ(mappings[0].device, "/dev/sda");
  EXPECT_NE(mappings[0].state_reason.find("/dev/sda is gone"), std::string::npos);
}

TEST_F(MappingsTest, MappingWithoutABackingDeviceIsBroken) {
  AddMapping(0, {.slave = ""});
  ASSERT_EQ(List().size(), 1U);
  EXPECT_EQ(List()[0].state, MappingState::kBroken);
  EXPECT_EQ(List()[0].device, "");
}

TEST_F(MappingsTest, MappingOverTwoDevicesIsBroken) {
  AddMapping(0, {});
  AddSlave(0, "sdb");
  ASSERT_EQ(List().size(), 1U);
  EXPECT_EQ(List()[0].state, MappingState::kBroken);
}

TEST_F(MappingsTest, SlashInADeviceNameIsRestored) {
  AddMapping(0, {.slave = "cciss!c0d0"});
  ASSERT_EQ(List().size(), 1U);
  EXPECT_EQ(List()[0].device, "/dev/cciss/c0d0");
  EXPECT_EQ(List()[0].state, MappingState::kActive);
}

TEST_F(MappingsTest, ListIsInTheOrderOfVolumeIds) {
  int number = 0;
  for (const char* volume_id : {"c", "a", "b10", "b9"}) {
    const std::string name = std::string("volcrypt-") + volume_id;
    AddMapping(number++, {.name = name, .uuid = "CRYPT-PLAIN-" + name});
  }
  std::vector<std::string> ids;
  for (const Mapping& mapping : List()) ids.push_back(mapping.volume_id);
  EXPECT_EQ(ids, (std::vector<std::string>{"a", "b10", "b9", "c"}));
}

TEST_F(MappingsTest, MappingThatVanishesWhileItIsReadIsLeftOut) {
  const std::string digits = kDigits;
  int number = 0;
  for (const char* gone : {"dm/name", "dm/uuid", "dm/suspended", "size", "ro", "slaves/sda", "slaves"}) {
    AddMapping(number, {});
    std::filesystem::remove_all(sysfs_.Path(DmPath(number++) + "/" + gone));
  }
  // The mapping without its link is there, though broken; all others are gone.
  EXPECT_EQ(List().size(), 1U);
  std::filesystem::remove(sysfs_.Path(DmPath(5) + "/dm/suspended"));
  EXPECT_TRUE(List().empty());
  std::filesystem::remove_all(sysfs_.Path("devices/virtual"));
  EXPECT_TRUE(List().empty());
}

TEST_F(MappingsTest, AttributeLargerThanAPageIsNotBelieved) {
  AddMapping(0, {});
  sysfs_.Write(DmPath(0) + "/size", std::string(4090, '0') + "131072");
  EXPECT_EQ(List().size(), 1U);
  sysfs_.Write(DmPath(0) + "/size", std::string(4091, '0') + "131072");
  EXPECT_TRUE(List().empty());
}

TEST_F(MappingsTest, SizeThatIsNoNumberIsNotBelieved) {
  for (const char* size : {"", "x", "-1", "1.5"}) {
    sysfs_.Write(DmPath(0) + "/size", size);
    EXPECT_TRUE(List().empty()) << size;
  }
}

TEST_F(MappingsTest, FindKnowsTheSameMappingsAsList) {
  AddMapping(0, {.name = "volcrypt-a", .uuid = "CRYPT-PLAIN-volcrypt-a", .slave = "sda"});
  AddMapping(1, {.name = "volcrypt-b", .uuid = "CRYPT-PLAIN-volcrypt-b", .slave = "sdb"});
  const Mappings mappings(sysfs_.Path());
  const std::optional<Mapping> found = mappings.Find("b");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->volume_id, "b");
  EXPECT_EQ(found->device, "/dev/sdb");
  EXPECT_FALSE(mappings.Find("c"));
  EXPECT_FALSE(mappings.Find(""));
}

TEST_F(MappingsTest, HostWithoutAnyMappingOrSysfsHasNone) {
  EXPECT_TRUE(List().empty());
  EXPECT_FALSE(Mappings(sysfs_.Path()).Find("a"));
  EXPECT_TRUE(Mappings("/nonexistent").List().empty());
}

}  // namespace
}  // namespace volcrypt
