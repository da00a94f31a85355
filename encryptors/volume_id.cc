#include "encryptors/volume_id.h"

#include "absl/strings/ascii.h"

namespace volcrypt {

bool IsValidVolumeId(std::string_view volume_id) {
  if (volume_id.empty() || volume_id.size() > kMaxVolumeIdLength) return false;
  if (!absl::ascii_isalnum(static_cast<unsigned char>(volume_id[0]))) return false;
  for (const char c : volume_id) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) && c != '_' && c != '.' && c != '-') return false;
  }
  return true;
}

std::string MappingName(std::string_view volume_id) { return std::string(kMappingPrefix).append(volume_id); }

std::optional<std::string> VolumeIdOfMapping(std::string_view mapping_name) {
  if (!mapping_name.starts_with(kMappingPrefix)) return std::nullopt;
  const std::string_view volume_id = mapping_name.substr(kMappingPrefix.size());
  if (!IsValidVolumeId(volume_id)) return std::nullopt;
  return std::string(volume_id);
}

}  // namespace volcrypt
