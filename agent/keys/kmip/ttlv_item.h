#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/keys/kmip/kmip_tags.h"
#include "agent/keys/kmip/ttlv_type.h"

namespace volcrypt {

// A TTLV item in somebody else's memory, read in place because it may hold a key: a view, as cheap to copy as a
// pointer. Parse checks everything below it too, so looking into it cannot run past its end.
class TtlvItem {
 public:
  // Deepest nesting that is read. A key is 6 levels down.
  static constexpr int kMaxDepth = 16;

  // The bytes are one item and nothing else. KEY_MANAGER_UNAVAILABLE says what is wrong where; it repeats no value.
  static absl::StatusOr<TtlvItem> Parse(std::span<const uint8_t> bytes);

  KmipTag Tag() const { return tag_; }
  TtlvType Type() const { return type_; }
  std::span<const uint8_t> Value() const { return value_; }  // without padding

  // Nothing when the type is another.
  std::optional<int32_t> Integer() const;
  std::optional<uint32_t> Enumeration() const;
  std::optional<int64_t> DateTime() const;
  std::optional<std::string_view> Text() const;
  std::optional<std::span<const uint8_t>> ByteString() const;

  // A structure's items in their order; none for other types.
  std::vector<TtlvItem> Members() const;
  // Its first item with this tag.
  std::optional<TtlvItem> Find(KmipTag tag) const;
  // Its one item with this tag. KEY_MANAGER_UNAVAILABLE when there is none or more than one.
  absl::StatusOr<TtlvItem> Only(KmipTag tag) const;

 private:
  TtlvItem() = default;
  static std::optional<TtlvItem> Cut(std::span<const uint8_t>& rest);

  KmipTag tag_ = {};
  TtlvType type_ = {};
  std::span<const uint8_t> value_;
};

}  // namespace volcrypt
