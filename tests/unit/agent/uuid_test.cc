#include "agent/uuid.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace volcrypt {
namespace {

TEST(UuidTest, IsOfVersionFourAndItsVariant) {
  for (int i = 0; i < 256; ++i) {
    const std::string uuid = RandomUuid();
    ASSERT_TRUE(IsCanonicalUuid(uuid)) << uuid;
    EXPECT_EQ(uuid[14], '4') << uuid;
    EXPECT_NE(std::string("89ab").find(uuid[19]), std::string::npos) << uuid;
  }
}

TEST(UuidTest, NeverRepeats) {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(seen.insert(RandomUuid()).second);
}

TEST(UuidTest, OnlyTheCanonicalFormIsAccepted) {
  EXPECT_TRUE(IsCanonicalUuid("01234567-89ab-4def-8123-456789abcdef"));
  for (const std::string& bad :
       {std::string(), std::string("01234567-89AB-4def-8123-456789abcdef"),
        std::string("0123456789ab4def8123456789abcdef"), std::string("01234567-89ab-4def-8123-456789abcde"),
        std::string("01234567-89ab-4def-8123-456789abcdef0"), std::string("01234567-89ab-4def-8123-456789abcdeg"),
        std::string("01234567089ab-4def-8123-456789abcdef"), std::string(36, '-'), std::string(36, '0')}) {
    EXPECT_FALSE(IsCanonicalUuid(bad)) << bad;
  }
}

}  // namespace
}  // namespace volcrypt
