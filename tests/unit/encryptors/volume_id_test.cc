#include "encryptors/volume_id.h"

#include <gtest/gtest.h>

#include <string>

namespace volcrypt {
namespace {

TEST(VolumeId, LettersDigitsAndThreeSignsAreValid) {
  for (const char* const id : {"a", "7", "A-1", "vol_1.snap", "1f0e4c3a-8a55-4d6e-9a2f-0a6d1c2b3e4f", "a..", "Z-"}) {
    EXPECT_TRUE(IsValidVolumeId(id)) << id;
  }
}

TEST(VolumeId, WhatCouldLeaveADirectoryOrAnOptionListIsNot) {
  for (const std::string& id :
       {std::string(), std::string("."), std::string(".."), std::string("-a"), std::string("_a"), std::string("../a"),
        std::string("a/b"), std::string("a b"), std::string("a\n"), std::string("a\0b", 3), std::string("\xC3\xA4"),
        std::string("a:b")}) {
    EXPECT_FALSE(IsValidVolumeId(id)) << id;
  }
}

TEST(VolumeId, LongestFitsADeviceMapperUuidAndOneMoreIsRefused) {
  const std::string longest(kMaxVolumeIdLength, 'v');
  EXPECT_TRUE(IsValidVolumeId(longest));
  EXPECT_FALSE(IsValidVolumeId(longest + "v"));
  const std::string dm_uuid = "CRYPT-LUKS2-" + std::string(32, '0') + "-" + MappingName(longest);
  EXPECT_EQ(dm_uuid.size(), 128U);
}

TEST(VolumeId, MappingNameReadsBack) {
  EXPECT_EQ(MappingName("vol-1"), "volcrypt-vol-1");
  EXPECT_EQ(VolumeIdOfMapping("volcrypt-vol-1"), "vol-1");
}

TEST(VolumeId, MappingsOfOthersHaveNone) {
  for (const char* const name :
       {"", "volcrypt", "volcrypt-", "volcrypt--a", "luks-1234", "xvolcrypt-a", "volcrypt-a b"}) {
    EXPECT_EQ(VolumeIdOfMapping(name), std::nullopt) << name;
  }
}

}  // namespace
}  // namespace volcrypt
