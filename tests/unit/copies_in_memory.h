#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>

namespace volcrypt {

// The search reads what address sanitizer has poisoned, too. `first` is the byte that is_byte() takes for the secret's
// first: words without it are passed over eight bytes at a time, as there are hundreds of megabytes to look through.
template <typename IsByte>
__attribute__((no_sanitize("address", "undefined"))) int CopiesInRegion(uintptr_t begin, uintptr_t end, size_t size,
                                                                        uint8_t first, const IsByte& is_byte) {
  constexpr uint64_t kOnes = 0x0101010101010101;
  constexpr uint64_t kHighBits = 0x8080808080808080;
  int count = 0;
  uintptr_t at = begin;
  while (at + size <= end) {
    if (at % sizeof(uint64_t) == 0 && at + sizeof(uint64_t) <= end) {
      // A byte of `others` is zero where the word has `first`.
      const uint64_t others =
          *reinterpret_cast<const uint64_t*>(at) ^ (kOnes * first);  // NOLINT(performance-no-int-to-ptr)
      if (((others - kOnes) & ~others & kHighBits) == 0) {
        at += sizeof(uint64_t);
        continue;
      }
    }
    const auto* const memory = reinterpret_cast<const uint8_t*>(at);  // NOLINT(performance-no-int-to-ptr)
    size_t same = 0;
    while (same < size && is_byte(memory[same], same)) ++same;
    if (same == size) ++count;
    ++at;
  }
  return count;
}

// How often `size` bytes stand in what this process can write, its heap, stacks and data, of which is_byte(byte, index)
// says that they are the secret's: so that looking for a secret need not put it into memory.
//
// When a function of a library is called for the first time, the dynamic linker puts the registers on the stack, with
// what decryption has left in them. So do what is to be judged, this search included, once before with another secret.
template <typename IsByte>
int CopiesInMemory(size_t size, const IsByte& is_byte) {
  // Address sanitizer's shadow has terabytes, and no keys.
  constexpr uintptr_t kLargestRegion = uintptr_t{1} << 30;
  uint8_t first = 0;
  while (!is_byte(first, size_t{0})) ++first;
  int count = 0;
  std::ifstream maps("/proc/self/maps");
  std::string line;
  while (std::getline(maps, line)) {
    uintptr_t begin = 0;
    uintptr_t end = 0;
    std::array<char, 5> rights{};
    if (std::sscanf(line.c_str(), "%lx-%lx %4s", &begin, &end, rights.data()) != 3) continue;
    if (rights[0] != 'r' || rights[1] != 'w' || end - begin > kLargestRegion) continue;
    count += CopiesInRegion(begin, end, size, first, is_byte);
  }
  return count;
}

}  // namespace volcrypt
