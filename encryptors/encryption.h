// What a volume is encrypted with.
#pragma once

#include <cstdint>
#include <string>

namespace volcrypt {

enum class Format : uint8_t { kUnspecified, kLuks1, kLuks2, kPlain };

struct Encryption {
  Format format = Format::kUnspecified;
  std::string cipher;              // kernel notation: aes-xts-plain64
  uint32_t key_size_bits = 0;      // of the volume key
  uint32_t sector_size_bytes = 0;  // 0: choose

  bool operator==(const Encryption&) const = default;
};

}  // namespace volcrypt
