#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "agent/keys/kmip/kmip_tags.h"
#include "agent/keys/kmip/ttlv_type.h"

namespace volcrypt {

// Writes TTLV items, one after the other, into memory of its caller: what is written may be secret. Without memory it
// only measures, so that a caller allocates what it needs: run the same calls twice.
class TtlvWriter {
 public:
  TtlvWriter() = default;
  // `out` outlives the writer. What does not fit is not written, and Size() is then larger than `out`.
  explicit TtlvWriter(std::span<uint8_t> out) : out_(out) {}

  // `members` writes the structure's items.
  void Structure(KmipTag tag, absl::FunctionRef<void()> members);
  void Integer(KmipTag tag, int32_t value);
  void Enumeration(KmipTag tag, uint32_t value);
  template <typename Enum>
  void Enumeration(KmipTag tag, Enum value) {
    Enumeration(tag, static_cast<uint32_t>(value));
  }
  void Text(KmipTag tag, std::string_view value);
  void Text(KmipTag tag, std::span<const uint8_t> utf8) { Item(tag, TtlvType::kTextString, utf8); }
  void Bytes(KmipTag tag, std::span<const uint8_t> value) { Item(tag, TtlvType::kByteString, value); }

  // Bytes written, or needed.
  size_t Size() const { return size_; }

 private:
  void Item(KmipTag tag, TtlvType type, std::span<const uint8_t> value);
  void Header(KmipTag tag, TtlvType type, size_t length);
  void Put(std::span<const uint8_t> bytes);

  std::span<uint8_t> out_;
  size_t size_ = 0;
};

}  // namespace volcrypt
