#include "agent/encryption_rules.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace volcrypt {
namespace {

struct CipherRow {
  std::string_view name;
  std::array<uint32_t, 2> key_sizes_bits;  // XTS has two keys of half the size
};

constexpr std::array<CipherRow, 3> kCiphers = {{
    {"aes-xts-plain64", {256, 512}},
    {"aes-cbc-essiv:sha256", {128, 256}},
    {"aes-xts-plain", {256, 512}},
}};

const CipherRow* Find(std::string_view cipher) {
  const auto* const row = std::ranges::find(kCiphers, cipher, &CipherRow::name);
  return row == kCiphers.end() ? nullptr : row;
}

}  // namespace

bool IsBuiltInCipher(std::string_view cipher) { return Find(cipher) != nullptr; }

std::string BuiltInCipherList() {
  return absl::StrJoin(kCiphers, ", ", [](std::string* out, const CipherRow& row) { out->append(row.name); });
}

std::vector<EncryptionFault> FaultsOf(const Encryption& encryption, const std::vector<std::string>& allowed_ciphers) {
  std::vector<EncryptionFault> faults;
  const CipherRow* const row = Find(encryption.cipher);
  if (row == nullptr || std::ranges::find(allowed_ciphers, encryption.cipher) == allowed_ciphers.end()) {
    faults.push_back({"cipher", absl::StrCat("\"", encryption.cipher, "\" is not among the allowed ciphers: ",
                                             absl::StrJoin(allowed_ciphers, ", "))});
  }
  if (row != nullptr && std::ranges::find(row->key_sizes_bits, encryption.key_size_bits) == row->key_sizes_bits.end()) {
    faults.push_back(
        {"key_size_bits", absl::StrCat(encryption.key_size_bits, " bits do not fit ", encryption.cipher,
                                       ", which takes ", row->key_sizes_bits[0], " or ", row->key_sizes_bits[1])});
  }
  const uint32_t sector = encryption.sector_size_bytes;
  if (sector != 0 && sector != 512 && sector != 4096) {
    faults.push_back({"sector_size_bytes", absl::StrCat(sector, " is not 512, 4096 or 0 (choose)")});
  } else if (sector == 4096 && encryption.format == Format::kLuks1) {
    faults.push_back({"sector_size_bytes", "luks1 has sectors of 512 bytes only"});
  }
  return faults;
}

}  // namespace volcrypt
