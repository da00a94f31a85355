// What a secret's value leaves in the memory of its sender: nothing.
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <fstream>

#include "absl/time/clock.h"
#include "agent/libvirt/libvirt_secrets.h"
#include "tests/unit/libvirt/libvirtd_process.h"

namespace volcrypt {
namespace {

constexpr size_t kValueBytes = 64;
constexpr uint8_t kMask = 0xA7;
// Address sanitizer's shadow has terabytes, and no keys.
constexpr uintptr_t kLargestRegion = uintptr_t{1} << 30;

// The value behind a mask, so that looking for it does not put it into memory.
uint8_t MaskedByte(size_t i) { return static_cast<uint8_t>((i * 37 + 11) ^ (i << 3)); }

__attribute__((no_sanitize("address"))) bool IsValueAt(const uint8_t* bytes) {
  for (size_t i = 0; i < kValueBytes; ++i) {
    if (static_cast<uint8_t>(bytes[i] ^ kMask) != MaskedByte(i)) return false;
  }
  return true;
}

__attribute__((no_sanitize("address"))) int CountInRegion(uintptr_t begin, uintptr_t end) {
  int count = 0;
  for (uintptr_t at = begin; at + kValueBytes <= end; ++at) {
    if (IsValueAt(reinterpret_cast<const uint8_t*>(at))) ++count;  // NOLINT(performance-no-int-to-ptr)
  }
  return count;
}

int CopiesInMemory() {
  int count = 0;
  std::ifstream maps("/proc/self/maps");
  std::string line;
  while (std::getline(maps, line)) {
    uintptr_t begin = 0;
    uintptr_t end = 0;
    std::array<char, 5> rights{};
    if (std::sscanf(line.c_str(), "%lx-%lx %4s", &begin, &end, rights.data()) != 3) continue;
    if (rights[0] != 'r' || rights[1] != 'w' || end - begin > kLargestRegion) continue;
    count += CountInRegion(begin, end);
  }
  return count;
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
  EXPECT_EQ(CopiesInMemory(), 1);
  for (int i = 0; i < 3; ++i) {
    if (i > 0) value = Value();
    ASSERT_TRUE(secrets.Put("vol-1", "", {}, std::move(value), absl::Now() + absl::Seconds(20)).ok());
    // The connection's thread lets go of its copy a moment after it has answered; this call comes behind that.
    ASSERT_TRUE(secrets.Find("vol-1", absl::Now() + absl::Seconds(20)).ok());
    EXPECT_EQ(CopiesInMemory(), 0);
  }
}

}  // namespace
}  // namespace volcrypt
