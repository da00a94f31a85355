#include "agent/keys/kmip/ttlv_item.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "agent/keys/kmip/malformed_answer.h"

namespace volcrypt {
namespace {

uint64_t BigEndian(std::span<const uint8_t> bytes) {
  uint64_t value = 0;
  for (const uint8_t byte : bytes) value = (value << 8) | byte;
  return value;
}

absl::Status Malformed(absl::string_view what, size_t offset) {
  return MalformedAnswer(absl::StrCat(what, " at byte ", offset));
}

bool FitsType(TtlvType type, size_t length) {
  switch (type) {
    case TtlvType::kInteger:
    case TtlvType::kEnumeration:
    case TtlvType::kInterval:
      return length == 4;
    case TtlvType::kLongInteger:
    case TtlvType::kBoolean:
    case TtlvType::kDateTime:
    case TtlvType::kDateTimeExtended:
      return length == 8;
    case TtlvType::kStructure:
    case TtlvType::kBigInteger:
      return length % 8 == 0;
    case TtlvType::kTextString:
    case TtlvType::kByteString:
      return true;
  }
  return false;
}

// `bytes` are whole items, the first of which begins at `offset` of the message.
absl::Status CheckItems(std::span<const uint8_t> bytes, size_t offset, int depth) {
  if (!bytes.empty() && depth > TtlvItem::kMaxDepth) return Malformed("items are nested too deeply", offset);
  while (!bytes.empty()) {
    if (bytes.size() < kTtlvHeaderBytes) return Malformed("an item is cut short", offset);
    const TtlvType type{bytes[3]};
    const size_t length = BigEndian(bytes.subspan(4, 4));
    if (!FitsType(type, length)) return Malformed("an item's length does not fit its type", offset);
    const size_t padded = TtlvPadded(length);
    if (padded > bytes.size() - kTtlvHeaderBytes) return Malformed("an item is longer than what holds it", offset);
    const std::span<const uint8_t> value = bytes.subspan(kTtlvHeaderBytes, padded);
    if (type == TtlvType::kStructure) {
      if (absl::Status inside = CheckItems(value, offset + kTtlvHeaderBytes, depth + 1); !inside.ok()) return inside;
    }
    if (std::ranges::any_of(value.subspan(length), [](uint8_t byte) { return byte != 0; })) {
      return Malformed("an item's padding is not zeros", offset);
    }
    bytes = bytes.subspan(kTtlvHeaderBytes + padded);
    offset += kTtlvHeaderBytes + padded;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<TtlvItem> TtlvItem::Parse(std::span<const uint8_t> bytes) {
  if (absl::Status checked = CheckItems(bytes, 0, 1); !checked.ok()) return checked;
  const std::optional<TtlvItem> item = Cut(bytes);
  if (!item) return MalformedAnswer("it is empty");
  if (!bytes.empty()) return MalformedAnswer("there is more than one message");
  return *item;
}

// The first item of `rest`, which has been checked, and is left with the items after it.
std::optional<TtlvItem> TtlvItem::Cut(std::span<const uint8_t>& rest) {
  if (rest.empty()) return std::nullopt;
  TtlvItem item;
  item.tag_ = static_cast<KmipTag>(BigEndian(rest.first(3)));
  item.type_ = static_cast<TtlvType>(rest[3]);
  const size_t length = BigEndian(rest.subspan(4, 4));
  item.value_ = rest.subspan(kTtlvHeaderBytes, length);
  rest = rest.subspan(kTtlvHeaderBytes + TtlvPadded(length));
  return item;
}

std::optional<int32_t> TtlvItem::Integer() const {
  if (type_ != TtlvType::kInteger) return std::nullopt;
  return static_cast<int32_t>(BigEndian(value_));
}

std::optional<uint32_t> TtlvItem::Enumeration() const {
  if (type_ != TtlvType::kEnumeration) return std::nullopt;
  return static_cast<uint32_t>(BigEndian(value_));
}

std::optional<int64_t> TtlvItem::DateTime() const {
  if (type_ != TtlvType::kDateTime) return std::nullopt;
  return static_cast<int64_t>(BigEndian(value_));
}

std::optional<std::string_view> TtlvItem::Text() const {
  if (type_ != TtlvType::kTextString) return std::nullopt;
  return std::string_view(reinterpret_cast<const char*>(value_.data()), value_.size());
}

std::optional<std::span<const uint8_t>> TtlvItem::ByteString() const {
  if (type_ != TtlvType::kByteString) return std::nullopt;
  return value_;
}

std::vector<TtlvItem> TtlvItem::Members() const {
  std::vector<TtlvItem> members;
  if (type_ != TtlvType::kStructure) return members;
  std::span<const uint8_t> rest = value_;
  while (const std::optional<TtlvItem> item = Cut(rest)) members.push_back(*item);
  return members;
}

std::optional<TtlvItem> TtlvItem::Find(KmipTag tag) const {
  if (type_ != TtlvType::kStructure) return std::nullopt;
  std::span<const uint8_t> rest = value_;
  while (const std::optional<TtlvItem> item = Cut(rest)) {
    if (item->Tag() == tag) return item;
  }
  return std::nullopt;
}

absl::StatusOr<TtlvItem> TtlvItem::Only(KmipTag tag) const {
  const std::vector<TtlvItem> members = Members();
  const auto has_tag = [tag](const TtlvItem& item) { return item.Tag() == tag; };
  const auto found = std::ranges::find_if(members, has_tag);
  const absl::string_view problem = found == members.end()                                  ? "lacks"
                                    : std::any_of(std::next(found), members.end(), has_tag) ? "repeats"
                                                                                            : "";
  if (problem.empty()) return *found;
  return MalformedAnswer(
      absl::StrFormat("item %06X %s item %06X", static_cast<uint32_t>(tag_), problem, static_cast<uint32_t>(tag)));
}

}  // namespace volcrypt
