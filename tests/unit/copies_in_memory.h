#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>

namespace volcrypt {

// The search reads what address sanitizer has poisoned, too.
template <typename IsByte>
__attribute__((no_sanitize("address"))) int CopiesInRegion(uintptr_t begin, uintptr_t end, size_t size,
                                                           const IsByte& is_byte) {
  int count = 0;
  for (uintptr_t at = begin; at + size <= end; ++at) {
    const auto* const memory = reinterpret_cast<const uint8_t*>(at);  // NOLINT(performance-no-int-to-ptr)
    size_t same = 0;
    while (same < size && is_byte(memory[same], same)) ++same;
    if (same == size) ++count;
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
  int count = 0;
  std::ifstream maps("/proc/self/maps");
  std::string line;
  while (std::getline(maps, line)) {
    uintptr_t begin = 0;
    uintptr_t end = 0;
    std::array<char, 5> rights{};
    if (std::sscanf(line.c_str(), "%lx-%lx %4s", &begin, &end, rights.data()) != 3) continue;
    if (rights[0] != 'r' || rights[1] != 'w' || end - begin > kLargestRegion) continue;
    count += CopiesInRegion(begin, end, size, is_byte);
  }
  return count;
}

}  // namespace volcrypt
