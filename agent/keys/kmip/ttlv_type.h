// TTLV, the encoding of KMIP: an item is its tag (3 bytes), type (1), length (4, big-endian, of the value alone) and
// value, filled up with zeros to a multiple of 8. Source: OASIS KMIP Specification 1.4, section 9.1.1.
#pragma once

#include <cstddef>
#include <cstdint>

namespace volcrypt {

enum class TtlvType : uint8_t {
  kStructure = 0x1,  // its value is items
  kInteger = 0x2,
  kLongInteger = 0x3,
  kBigInteger = 0x4,
  kEnumeration = 0x5,
  kBoolean = 0x6,
  kTextString = 0x7,  // UTF-8 without NUL
  kByteString = 0x8,
  kDateTime = 0x9,  // Unix seconds
  kInterval = 0xA,  // seconds
  kDateTimeExtended = 0xB,
};

inline constexpr size_t kTtlvHeaderBytes = 8;

// The bytes that a value of this length takes with its padding.
constexpr size_t TtlvPadded(size_t length) { return (length + 7) / 8 * 8; }

}  // namespace volcrypt
