#include "agent/keys/local/key_wrap.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "encryptors/reason.h"

namespace volcrypt {
namespace {

SecretBytes Filled(size_t size, uint8_t byte) {
  absl::StatusOr<SecretBytes> secret = SecretBytes::Allocate(size);
  EXPECT_TRUE(secret.ok()) << secret.status();
  std::ranges::fill(secret->Bytes(), byte);
  return *std::move(secret);
}

TEST(KeyWrapTest, UnwrapsWhatWasWrapped) {
  const SecretBytes kek = Filled(kKekBytes, 1);
  for (const size_t size : {size_t{0}, size_t{1}, size_t{16}, size_t{32}, size_t{64}, size_t{20000}}) {
    const SecretBytes secret = Filled(size, 7);
    const absl::StatusOr<std::vector<uint8_t>> wrapped = WrapSecret(kek, secret, "data");
    ASSERT_TRUE(wrapped.ok()) << wrapped.status();
    EXPECT_EQ(wrapped->size(), size + 28);
    const absl::StatusOr<SecretBytes> back = UnwrapSecret(kek, *wrapped, "data");
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_TRUE(SameSecret(secret, *back));
  }
}

// Test case 16 of the GCM specification (McGrew and Viega), whose nonce can be given only when unwrapping.
TEST(KeyWrapTest, IsAes256Gcm) {
  const auto bytes = [](std::string_view hex) {
    std::vector<uint8_t> out;
    for (size_t i = 0; i < hex.size(); i += 2) {
      out.push_back(static_cast<uint8_t>(std::stoul(std::string(hex.substr(i, 2)), nullptr, 16)));
    }
    return out;
  };
  const std::vector<uint8_t> key = bytes("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308");
  const std::vector<uint8_t> data = bytes("feedfacedeadbeeffeedfacedeadbeefabaddad2");
  const std::vector<uint8_t> wrapped = bytes(
      "cafebabefacedbaddecaf888"
      "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0a"
      "bcc9f662"
      "76fc6ece0f4e1768cddf8853bb2d551b");
  const std::vector<uint8_t> plain = bytes(
      "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657"
      "ba637b39");
  const SecretBytes kek = Filled(kKekBytes, 0);
  SecretBytes real_kek = Filled(kKekBytes, 0);
  std::ranges::copy(key, real_kek.Bytes().begin());
  const std::string_view associated(reinterpret_cast<const char*>(data.data()), data.size());
  const absl::StatusOr<SecretBytes> unwrapped = UnwrapSecret(real_kek, wrapped, associated);
  ASSERT_TRUE(unwrapped.ok()) << unwrapped.status();
  EXPECT_TRUE(std::ranges::equal(unwrapped->Bytes(), plain));
  EXPECT_FALSE(UnwrapSecret(kek, wrapped, associated).ok());
}

TEST(KeyWrapTest, AnyChangedBitIsUnfit) {
  const SecretBytes kek = Filled(kKekBytes, 1);
  const absl::StatusOr<std::vector<uint8_t>> wrapped = WrapSecret(kek, Filled(16, 7), "data");
  ASSERT_TRUE(wrapped.ok());
  for (size_t bit = 0; bit < wrapped->size() * 8; ++bit) {
    std::vector<uint8_t> changed = *wrapped;
    changed[bit / 8] = static_cast<uint8_t>(changed[bit / 8] ^ (1U << (bit % 8)));
    EXPECT_TRUE(HasReason(UnwrapSecret(kek, changed, "data").status(), Reason::kKeyUnfit)) << bit;
  }
}

TEST(KeyWrapTest, AnyShorterBlobOtherKekOrOtherDataIsUnfit) {
  const SecretBytes kek = Filled(kKekBytes, 1);
  const absl::StatusOr<std::vector<uint8_t>> wrapped = WrapSecret(kek, Filled(16, 7), "data");
  ASSERT_TRUE(wrapped.ok());
  for (size_t size = 0; size < wrapped->size(); ++size) {
    EXPECT_TRUE(HasReason(UnwrapSecret(kek, std::span(*wrapped).first(size), "data").status(), Reason::kKeyUnfit));
  }
  EXPECT_TRUE(HasReason(UnwrapSecret(Filled(kKekBytes, 2), *wrapped, "data").status(), Reason::kKeyUnfit));
  EXPECT_TRUE(HasReason(UnwrapSecret(kek, *wrapped, "date").status(), Reason::kKeyUnfit));
  EXPECT_FALSE(UnwrapSecret(Filled(16, 1), *wrapped, "data").ok());
  EXPECT_FALSE(WrapSecret(Filled(16, 1), Filled(16, 7), "data").ok());
}

TEST(KeyWrapTest, NonceIsFreshEachTime) {
  const SecretBytes kek = Filled(kKekBytes, 1);
  const SecretBytes secret = Filled(32, 7);
  std::set<std::vector<uint8_t>> nonces;
  for (int i = 0; i < 100; ++i) {
    const absl::StatusOr<std::vector<uint8_t>> wrapped = WrapSecret(kek, secret, "data");
    ASSERT_TRUE(wrapped.ok());
    nonces.emplace(wrapped->begin(), wrapped->begin() + 12);
  }
  EXPECT_EQ(nonces.size(), 100U);
}

TEST(KeyWrapTest, NoTwoBindingsHaveTheSameAssociatedData) {
  const std::string base = AssociatedData({.key_id = "id", .type = "t", .algorithm = "a", .bit_length = 128});
  EXPECT_NE(base, AssociatedData({.key_id = "idt", .type = "", .algorithm = "a", .bit_length = 128}));
  EXPECT_NE(base, AssociatedData({.key_id = "id", .type = "ta", .algorithm = "", .bit_length = 128}));
  EXPECT_NE(base, AssociatedData({.key_id = "ie", .type = "t", .algorithm = "a", .bit_length = 128}));
  EXPECT_NE(base, AssociatedData({.key_id = "id", .type = "t", .algorithm = "a", .bit_length = 256}));
}

// Written out once more: keys that were wrapped must open for ever.
TEST(KeyWrapTest, AssociatedDataIsAsDocumented) {
  const std::string_view expected(
      "\0\0\0\016volcrypt key "
      "1\0\0\0\044c9bf9e57-1685-4c89-bafb-ff5af830be8a\0\0\0\011symmetric\0\0\0\003aes\0\0\002\0",
      4 + 14 + 4 + 36 + 4 + 9 + 4 + 3 + 4);
  EXPECT_EQ(AssociatedData({.key_id = "c9bf9e57-1685-4c89-bafb-ff5af830be8a",
                            .type = "symmetric",
                            .algorithm = "aes",
                            .bit_length = 512}),
            expected);
}

}  // namespace
}  // namespace volcrypt
