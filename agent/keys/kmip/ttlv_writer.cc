#include "agent/keys/kmip/ttlv_writer.h"

#include <algorithm>
#include <array>

namespace volcrypt {
namespace {

constexpr std::array<uint8_t, 8> kPadding = {};

std::array<uint8_t, 4> BigEndian(uint32_t value) {
  return {static_cast<uint8_t>(value >> 24), static_cast<uint8_t>(value >> 16), static_cast<uint8_t>(value >> 8),
          static_cast<uint8_t>(value)};
}

}  // namespace

void TtlvWriter::Structure(KmipTag tag, absl::FunctionRef<void()> members) {
  const size_t length_at = size_ + 4;
  Header(tag, TtlvType::kStructure, 0);
  const size_t begin = size_;
  members();
  const std::array<uint8_t, 4> length = BigEndian(static_cast<uint32_t>(size_ - begin));
  if (begin <= out_.size()) std::ranges::copy(length, out_.subspan(length_at).begin());
}

void TtlvWriter::Integer(KmipTag tag, int32_t value) {
  Item(tag, TtlvType::kInteger, BigEndian(static_cast<uint32_t>(value)));
}

void TtlvWriter::Enumeration(KmipTag tag, uint32_t value) { Item(tag, TtlvType::kEnumeration, BigEndian(value)); }

void TtlvWriter::Text(KmipTag tag, std::string_view value) {
  Text(tag, std::span(reinterpret_cast<const uint8_t*>(value.data()), value.size()));
}

void TtlvWriter::Item(KmipTag tag, TtlvType type, std::span<const uint8_t> value) {
  Header(tag, type, value.size());
  Put(value);
  Put(std::span(kPadding).first(TtlvPadded(value.size()) - value.size()));
}

void TtlvWriter::Header(KmipTag tag, TtlvType type, size_t length) {
  Put(BigEndian((static_cast<uint32_t>(tag) << 8) | static_cast<uint32_t>(type)));
  Put(BigEndian(static_cast<uint32_t>(length)));
}

void TtlvWriter::Put(std::span<const uint8_t> bytes) {
  if (size_ <= out_.size() && bytes.size() <= out_.size() - size_)
    std::ranges::copy(bytes, out_.subspan(size_).begin());
  size_ += bytes.size();
}

}  // namespace volcrypt
