// A line of a dm-crypt table.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "absl/strings/string_view.h"
#include "encryptors/crypt_table.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view line(reinterpret_cast<const char*>(data), size);
  const auto table = volcrypt::ParseCryptTable(line);
  if (table && (table->cipher.empty() || table->device.empty() || table->sector_size_bytes == 0)) abort();
  return 0;
}
