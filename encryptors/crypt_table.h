#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>
#include "absl/strings/string_view.h"

namespace volcrypt {

// One line of a dm-crypt table as the kernel gives it (kernel documentation, device-mapper/dm-crypt):
//   <cipher> <key> <iv_offset> <device> <offset> [<#opts> <opts>...]
// The key is a descriptor (":64:logon:cryptsetup:...") or, for LUKS1, the volume key itself; it is measured and
// skipped, never copied.
struct CryptTable {
  std::string cipher;  // aes-xts-plain64
  uint32_t key_size_bits = 0;
  bool key_in_keyring = false;
  uint64_t iv_offset_sectors = 0;
  std::string device;  // MAJOR:MINOR
  uint64_t offset_sectors = 0;
  uint32_t sector_size_bytes = 512;
  bool allow_discards = false;
  std::vector<std::string> other_options;
};

// Nothing when the text is not such a line.
std::optional<CryptTable> ParseCryptTable(absl::string_view params);

}  // namespace volcrypt
