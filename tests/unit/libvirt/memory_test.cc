// What a secret's value leaves in the memory of its sender: nothing.
#include <gtest/gtest.h>

#include "absl/time/clock.h"
#include "agent/libvirt/libvirt_secrets.h"
#include "tests/unit/copies_in_memory.h"
#include "tests/unit/libvirt/libvirtd_process.h"

namespace volcrypt {
namespace {

constexpr size_t kValueBytes = 64;
constexpr uint8_t kMask = 0xA7;

// The value behind a mask, so that looking for it does not put it into memory.
uint8_t MaskedByte(size_t i) { return static_cast<uint8_t>((i * 37 + 11) ^ (i << 3)); }

int CopiesOfValue() {
  return CopiesInMemory(kValueBytes, [](uint8_t byte, size_t i) { return (byte ^ kMask) == MaskedByte(i); });
}

SecretBytes Value() {
  SecretBytes value = *SecretBytes::Allocate(kValueBytes);
  for (size_t i = 0; i < kValueBytes; ++i) value.Bytes()[i] = MaskedByte(i) ^ kMask;
  return value;
}

TEST(LibvirtMemoryTest, NothingOfAValueIsLeftAfterItWasSet) {
  const LibvirtdProcess libvirtd;
  LibvirtSecrets secrets(libvirtd.Uri(), LibvirtSecrets::Lifetime::kEphemeral);
  SecretBytes value = Value();
  // The search can find.
  EXPECT_EQ(CopiesOfValue(), 1);
  for (int i = 0; i < 3; ++i) {
    if (i > 0) value = Value();
    ASSERT_TRUE(secrets.Put("vol-1", "", {}, std::move(value), absl::Now() + absl::Seconds(20)).ok());
    // The connection's thread lets go of its copy a moment after it has answered; this call comes behind that.
    ASSERT_TRUE(secrets.Find("vol-1", absl::Now() + absl::Seconds(20)).ok());
    EXPECT_EQ(CopiesOfValue(), 0);
  }
}

}  // namespace
}  // namespace volcrypt
