#include "encryptors/crypt_table.h"

#include <gtest/gtest.h>

namespace volcrypt {
namespace {

TEST(CryptTableTest, ReadsAKeyringTable) {
  const auto table = ParseCryptTable(
      "aes-xts-plain64 :64:logon:cryptsetup:0fd6f9a9-7c6a-4d29-8d5c-0a4a7e6f3c11-d0 0 7:3 4096 2 allow_discards "
      "sector_size:4096");
  ASSERT_TRUE(table.has_value());
  EXPECT_EQ(table->cipher, "aes-xts-plain64");
  EXPECT_EQ(table->key_size_bits, 512U);
  EXPECT_TRUE(table->key_in_keyring);
  EXPECT_EQ(table->device, "7:3");
  EXPECT_EQ(table->offset_sectors, 4096U);
  EXPECT_EQ(table->iv_offset_sectors, 0U);
  EXPECT_EQ(table->sector_size_bytes, 4096U);
  EXPECT_TRUE(table->allow_discards);
  EXPECT_TRUE(table->other_options.empty());
}

TEST(CryptTableTest, MeasuresAKeyInTheTableWithoutKeepingIt) {
  const auto table = ParseCryptTable("aes-cbc-essiv:sha256 00112233445566778899aabbccddeeff 0 8:0 4096");
  ASSERT_TRUE(table.has_value());
  EXPECT_EQ(table->key_size_bits, 128U);
  EXPECT_FALSE(table->key_in_keyring);
  EXPECT_EQ(table->sector_size_bytes, 512U);
}

TEST(CryptTableTest, KeepsOptionsThatNobodyAskedFor) {
  const auto table = ParseCryptTable("aes-xts-plain64 :32:logon:x 0 8:0 8 2 no_read_workqueue same_cpu_crypt");
  ASSERT_TRUE(table.has_value());
  EXPECT_EQ(table->other_options, (std::vector<std::string>{"no_read_workqueue", "same_cpu_crypt"}));
}

TEST(CryptTableTest, SeesANullCipher) {
  const auto table = ParseCryptTable("cipher_null-ecb - 0 7:0 4096");
  ASSERT_TRUE(table.has_value());
  EXPECT_EQ(table->cipher, "cipher_null-ecb");
  EXPECT_EQ(table->key_size_bits, 0U);
}

class MalformedTableTest : public testing::TestWithParam<const char*> {};

TEST_P(MalformedTableTest, IsRefused) { EXPECT_FALSE(ParseCryptTable(GetParam()).has_value()); }

INSTANTIATE_TEST_SUITE_P(Texts, MalformedTableTest,
                         testing::Values("", "aes", "aes-xts-plain64 00 0 7:0", "aes-xts-plain64 00 x 7:0 8",
                                         "aes-xts-plain64 00 0 7:0 -1", "aes-xts-plain64 :x:logon:y 0 7:0 8",
                                         "aes-xts-plain64 00 0 7:0 8 2 allow_discards",
                                         "aes-xts-plain64 00 0 7:0 8 1 a b",
                                         "aes-xts-plain64 00 0 7:0 8 1 sector_size:big",
                                         "aes-xts-plain64 :99999:logon:y 0 7:0 8"));

}  // namespace
}  // namespace volcrypt
