#include "encryptors/header_policy.h"

#include <gtest/gtest.h>

#include "encryptors/luks_header.h"
#include "encryptors/reason.h"
#include "unit/luks/luks_image.h"

namespace volcrypt {
namespace {

const HeaderPolicy kUsual = {.allowed_ciphers = {"aes-xts-plain64", "aes-cbc-essiv:sha256"}};

TEST(HeaderPolicyTest, AcceptsWhatCryptsetupMakes) {
  for (const char* type : {CRYPT_LUKS1, CRYPT_LUKS2}) {
    LuksImage image;
    const CryptDevice crypt = image.Format(type, "p");
    EXPECT_TRUE(CheckHeader(crypt.get(), kUsual).ok()) << type << CheckHeader(crypt.get(), kUsual);
  }
}

TEST(HeaderPolicyTest, RefusesACipherOffTheList) {
  LuksImage image;
  const CryptDevice crypt = image.Format(CRYPT_LUKS1, "p", "aes", "cbc-plain64", 32);
  EXPECT_TRUE(HasReason(CheckHeader(crypt.get(), kUsual), Reason::kHeaderRefused));
}

TEST(HeaderPolicyTest, RefusesACipherThatTheConfigurationTookOffTheList) {
  LuksImage image;
  const CryptDevice crypt = image.Format(CRYPT_LUKS2, "p");
  EXPECT_TRUE(
      HasReason(CheckHeader(crypt.get(), {.allowed_ciphers = {"aes-cbc-essiv:sha256"}}), Reason::kHeaderRefused));
}

TEST(HeaderPolicyTest, RefusesDataWhereThisHostDidNotPutIt) {
  LuksImage image;
  const CryptDevice crypt = image.Format(CRYPT_LUKS2, "p");
  HeaderPolicy policy = kUsual;
  policy.data_offset_bytes = uint64_t{2} << 20;  // the library's default is 16 MiB
  EXPECT_TRUE(HasReason(CheckHeader(crypt.get(), policy), Reason::kHeaderRefused));
  policy.data_offset_bytes = uint64_t{16} << 20;
  EXPECT_TRUE(CheckHeader(crypt.get(), policy).ok());
}

TEST(HeaderPolicyTest, RefusesAnotherEncryptionThanThisHostHasSeen) {
  LuksImage image;
  const CryptDevice crypt = image.Format(CRYPT_LUKS2, "p");
  HeaderPolicy policy = kUsual;
  policy.known_encryption = ReadLuksHeader(crypt.get()).encryption;
  EXPECT_TRUE(CheckHeader(crypt.get(), policy).ok()) << CheckHeader(crypt.get(), policy);
  const Encryption seen = policy.known_encryption;
  policy.known_encryption.cipher = "aes-cbc-essiv:sha256";
  EXPECT_TRUE(HasReason(CheckHeader(crypt.get(), policy), Reason::kHeaderRefused));
  policy.known_encryption = seen;
  policy.known_encryption.key_size_bits *= 2;
  EXPECT_TRUE(HasReason(CheckHeader(crypt.get(), policy), Reason::kHeaderRefused));
  policy.known_encryption = seen;
  policy.known_encryption.sector_size_bytes += 512;
  EXPECT_TRUE(HasReason(CheckHeader(crypt.get(), policy), Reason::kHeaderRefused));
}

TEST(HeaderPolicyTest, NoConfigurationAllowsAnUnknownCipher) {
  EXPECT_FALSE(IsAllowedEncryption({.cipher = "cipher_null-ecb", .key_size_bits = 256}, {"cipher_null-ecb"}));
  EXPECT_TRUE(IsAllowedEncryption({.cipher = "aes-xts-plain64", .key_size_bits = 256}, kUsual.allowed_ciphers));
  EXPECT_FALSE(IsAllowedEncryption({.cipher = "aes-xts-plain64", .key_size_bits = 128}, kUsual.allowed_ciphers));
  EXPECT_FALSE(IsAllowedEncryption({.cipher = "aes-cbc-essiv:sha256", .key_size_bits = 512}, kUsual.allowed_ciphers));
}

TEST(HeaderPolicyTest, BoundsTheDigestOfLuks1) {
  std::vector<uint8_t> sector(512, 0);
  sector[166] = 0x03;  // 1000 iterations
  sector[167] = 0xe8;
  EXPECT_TRUE(CheckLuks1Sector(sector).ok());
  sector[164] = 0xff;
  EXPECT_TRUE(HasReason(CheckLuks1Sector(sector), Reason::kHeaderRefused));
  EXPECT_FALSE(CheckLuks1Sector(std::span(sector).first(160)).ok());
}

}  // namespace
}  // namespace volcrypt
