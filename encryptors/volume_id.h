#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace volcrypt {

// A dm UUID has 128 characters (DM_UUID_LEN less its NUL): "CRYPT-LUKS2-", 32 of the LUKS UUID, "-", the prefix below,
// and this many for the volume's id.
inline constexpr size_t kMaxVolumeIdLength = 74;

// Every mapping of ours has this prefix; no other mapping is ever changed.
inline constexpr std::string_view kMappingPrefix = "volcrypt-";

// [A-Za-z0-9][A-Za-z0-9_.-]{0,73}: safe as a file name, a device-mapper name and part of a path.
bool IsValidVolumeId(std::string_view volume_id);

// volcrypt-<volume_id>.
std::string MappingName(std::string_view volume_id);

// The volume id of a mapping's name; nothing when the mapping is not ours.
std::optional<std::string> VolumeIdOfMapping(std::string_view mapping_name);

}  // namespace volcrypt
