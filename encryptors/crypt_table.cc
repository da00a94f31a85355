#include "encryptors/crypt_table.h"

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"

namespace volcrypt {
namespace {

constexpr size_t kMaxFields = 32;
constexpr absl::string_view kSectorSizeOption = "sector_size:";

// ":<bytes>:<type>:<description>" or hexadecimal digits.
bool MeasureKey(absl::string_view key, CryptTable& table) {
  uint32_t bytes = 0;
  if (absl::StartsWith(key, ":")) {
    const absl::string_view size = key.substr(1, key.find(':', 1) - 1);
    if (!absl::SimpleAtoi(size, &bytes)) return false;
    table.key_in_keyring = true;
  } else if (key != "-") {  // "-": no key, as for cipher_null
    bytes = static_cast<uint32_t>(key.size() / 2);
  }
  if (bytes > 1024) return false;
  table.key_size_bits = bytes * 8;
  return true;
}

bool ReadOptions(const std::vector<absl::string_view>& fields, CryptTable& table) {
  if (fields.size() <= 5) return true;
  uint32_t count = 0;
  if (!absl::SimpleAtoi(fields[5], &count) || count != fields.size() - 6) return false;
  for (size_t i = 6; i < fields.size(); ++i) {
    if (fields[i] == "allow_discards") {
      table.allow_discards = true;
    } else if (absl::StartsWith(fields[i], kSectorSizeOption)) {
      if (!absl::SimpleAtoi(fields[i].substr(kSectorSizeOption.size()), &table.sector_size_bytes)) return false;
    } else {
      table.other_options.emplace_back(fields[i]);
    }
  }
  return true;
}

}  // namespace

std::optional<CryptTable> ParseCryptTable(absl::string_view params) {
  const std::vector<absl::string_view> fields = absl::StrSplit(params, ' ', absl::SkipEmpty());
  if (fields.size() < 5 || fields.size() > kMaxFields) return std::nullopt;
  CryptTable table;
  table.cipher = std::string(fields[0]);
  table.device = std::string(fields[3]);
  if (!MeasureKey(fields[1], table) || !absl::SimpleAtoi(fields[2], &table.iv_offset_sectors) ||
      !absl::SimpleAtoi(fields[4], &table.offset_sectors) || !ReadOptions(fields, table)) {
    return std::nullopt;
  }
  return table;
}

}  // namespace volcrypt
