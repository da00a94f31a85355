#include "agent/encryption_rules.h"

#include <gtest/gtest.h>

#include "agent/config.h"

namespace volcrypt {
namespace {

std::string FaultyFields(const Encryption& encryption) {
  std::string fields;
  for (const EncryptionFault& fault : FaultsOf(encryption, VolumesConfig().allowed_ciphers))
    fields += fault.field + " ";
  return fields;
}

TEST(EncryptionRules, BuiltInDefaultHasNoFault) { EXPECT_EQ(FaultyFields(VolumesConfig().encryption), ""); }

TEST(EncryptionRules, KeySizeMustFitTheCipher) {
  for (const uint32_t bits : {256U, 512U}) {
    EXPECT_EQ(FaultyFields({.format = Format::kLuks2, .cipher = "aes-xts-plain64", .key_size_bits = bits}), "");
    EXPECT_EQ(FaultyFields({.format = Format::kLuks1, .cipher = "aes-xts-plain", .key_size_bits = bits}), "");
  }
  for (const uint32_t bits : {128U, 256U}) {
    EXPECT_EQ(FaultyFields({.format = Format::kLuks2, .cipher = "aes-cbc-essiv:sha256", .key_size_bits = bits}), "");
  }
  for (const uint32_t bits : {0U, 128U, 384U, 1024U}) {
    EXPECT_EQ(FaultyFields({.format = Format::kLuks2, .cipher = "aes-xts-plain64", .key_size_bits = bits}),
              "key_size_bits ");
  }
  EXPECT_EQ(FaultyFields({.format = Format::kLuks2, .cipher = "aes-cbc-essiv:sha256", .key_size_bits = 512}),
            "key_size_bits ");
}

TEST(EncryptionRules, CipherBeyondTheBuiltInOnesIsAFaultEvenWhenListed) {
  const Encryption encryption{.format = Format::kLuks2, .cipher = "cipher_null-ecb", .key_size_bits = 256};
  ASSERT_EQ(FaultsOf(encryption, {"cipher_null-ecb"}).size(), 1U);
  EXPECT_EQ(FaultsOf(encryption, {"cipher_null-ecb"})[0].field, "cipher");
}

TEST(EncryptionRules, EveryFaultIsNamed) {
  EXPECT_EQ(FaultyFields({.format = Format::kLuks2, .cipher = "x", .key_size_bits = 1, .sector_size_bytes = 1}),
            "cipher sector_size_bytes ");
  EXPECT_EQ(
      FaultyFields(
          {.format = Format::kLuks1, .cipher = "aes-xts-plain64", .key_size_bits = 128, .sector_size_bytes = 4096}),
      "key_size_bits sector_size_bytes ");
}

}  // namespace
}  // namespace volcrypt
