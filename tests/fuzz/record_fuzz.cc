// A host's record of a volume. What can be read must mean the same once it is written again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "absl/strings/string_view.h"
#include "encryptors/volume_record.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  const absl::StatusOr<volcrypt::VolumeRecord> record = volcrypt::ParseVolumeRecord(text);
  if (!record.ok()) return 0;
  const std::string written = volcrypt::ToText(*record);
  const absl::StatusOr<volcrypt::VolumeRecord> again = volcrypt::ParseVolumeRecord(written);
  if (!again.ok() || volcrypt::ToText(*again) != written) abort();
  return 0;
}
