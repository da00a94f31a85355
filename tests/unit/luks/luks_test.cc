#include "encryptors/luks.h"

#include <gtest/gtest.h>

#include <string_view>

#include "encryptors/reason.h"
#include "unit/luks/luks_image.h"

namespace volcrypt {
namespace {

Key MakeKey(KeyType type, std::string_view bytes) {
  Key key{.type = type, .bytes = *SecretBytes::Allocate(bytes.size()), .high_entropy = true};
  std::copy(bytes.begin(), bytes.end(), key.bytes.Bytes().begin());
  return key;
}

std::string_view TextOf(const SecretBytes& secret) { return {secret.Text(), secret.Size()}; }

TEST(PassphraseTest, IsTheHexadecimalTextOfASymmetricKey) {
  const absl::StatusOr<SecretBytes> passphrase = PassphraseOf(MakeKey(KeyType::kSymmetric, "\x07\x25\x23\x0b\xff"));
  ASSERT_TRUE(passphrase.ok());
  EXPECT_EQ(TextOf(*passphrase), "0725230bff");
}

TEST(PassphraseTest, IsTheBytesOfAPassphraseUnchanged) {
  const absl::StatusOr<SecretBytes> passphrase = PassphraseOf(MakeKey(KeyType::kPassphrase, "correct horse"));
  ASSERT_TRUE(passphrase.ok());
  EXPECT_EQ(TextOf(*passphrase), "correct horse");
}

TEST(PassphraseTest, AnEmptyKeyIsUnfit) { EXPECT_TRUE(HasReason(PassphraseOf(Key{}).status(), Reason::kKeyUnfit)); }

class KeyslotTest : public testing::TestWithParam<const char*> {};

TEST_P(KeyslotTest, OfARandomKeyIsFastAndOpensWithThatKeyAlone) {
  LuksImage image;
  const CryptDevice crypt = image.Open();
  ASSERT_EQ(crypt_format(crypt.get(), GetParam(), "aes", "xts-plain64", nullptr, nullptr, 64, nullptr), 0);
  const SecretBytes passphrase = *PassphraseOf(MakeKey(KeyType::kSymmetric, "0123456789abcdef"));
  ASSERT_TRUE(AddKeyslot(crypt.get(), passphrase, /*high_entropy=*/true).ok());

  const CryptDevice again = image.Open();
  ASSERT_EQ(crypt_load(again.get(), CRYPT_LUKS, nullptr), 0);
  const LuksHeader header = ReadLuksHeader(again.get());
  ASSERT_EQ(header.keyslots.size(), 1U);
  EXPECT_EQ(header.keyslots[0].pbkdf, "pbkdf2");
  EXPECT_EQ(header.keyslots[0].iterations, 1000U);
  EXPECT_TRUE(VerifyPassphrase(again.get(), passphrase).ok());
  const SecretBytes wrong = *PassphraseOf(MakeKey(KeyType::kSymmetric, "0123456789abcdeF"));
  EXPECT_TRUE(HasReason(VerifyPassphrase(again.get(), wrong), Reason::kKeyRejected));
}

TEST_P(KeyslotTest, OfAGuessableKeyIsSlow) {
  LuksImage image;
  const CryptDevice crypt = image.Open();
  ASSERT_EQ(crypt_format(crypt.get(), GetParam(), "aes", "xts-plain64", nullptr, nullptr, 64, nullptr), 0);
  const SecretBytes passphrase = *PassphraseOf(MakeKey(KeyType::kPassphrase, "guess me"));
  ASSERT_TRUE(AddKeyslot(crypt.get(), passphrase, /*high_entropy=*/false).ok());
  const LuksHeader header = ReadLuksHeader(crypt.get());
  ASSERT_EQ(header.keyslots.size(), 1U);
  const Keyslot& keyslot = header.keyslots[0];
  EXPECT_TRUE(keyslot.memory_kib >= 65536 || keyslot.iterations >= 1'000'000)
      << keyslot.pbkdf << " " << keyslot.iterations;
}

INSTANTIATE_TEST_SUITE_P(Types, KeyslotTest, testing::Values(CRYPT_LUKS1, CRYPT_LUKS2));

TEST(TokenOnHeaderTest, IsFoundAgainInTheHeader) {
  LuksImage image;
  const CryptDevice crypt = image.Format(CRYPT_LUKS2, "p");
  ASSERT_TRUE(SetToken(crypt.get(), {.volume_id = "vol-1", .key = {"local", "key-1"}, .created_at = absl::Now()}).ok());
  const CryptDevice again = image.Open();
  ASSERT_EQ(crypt_load(again.get(), CRYPT_LUKS, nullptr), 0);
  const LuksHeader header = ReadLuksHeader(again.get());
  EXPECT_EQ(header.volume_id, "vol-1");
  EXPECT_EQ(header.key.key_id, "key-1");
}

}  // namespace
}  // namespace volcrypt
