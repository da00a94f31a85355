#include "agent/request_fields.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "agent/keys/key_id.h"
#include "encryptors/reason.h"
#include "encryptors/volume_id.h"

namespace volcrypt {
namespace {

// Of a value that may be of any length: the metadata of an error has little room.
constexpr size_t kMaxShownBytes = 256;

}  // namespace

absl::Status CheckVolumeId(const std::string& volume_id) {
  if (IsValidVolumeId(volume_id)) return absl::OkStatus();
  return MakeError(
      Reason::kInvalidVolumeId,
      absl::StrCat("\"", absl::Utf8SafeCHexEscape(volume_id), "\" is not a volume id; it has 1 to ", kMaxVolumeIdLength,
                   " letters, digits, \"_\", \".\" and \"-\", the first a letter or digit"),
      {{"field", "volume_id"}, {"volume_id", volume_id}});
}

absl::Status CheckDevicePath(const std::string& device) {
  std::string what;
  if (device.empty()) {
    what = "device is empty; give the absolute path of a block device or file";
  } else if (device.size() > kMaxDevicePathBytes) {
    what = absl::StrCat("device has ", device.size(), " bytes; a path has at most ", kMaxDevicePathBytes);
  } else if (std::ranges::any_of(device, [](unsigned char c) { return absl::ascii_iscntrl(c); })) {
    what = "device contains a control character";
  } else if (device.front() != '/') {
    what = absl::StrCat("device \"", absl::Utf8SafeCHexEscape(device), "\" is not an absolute path");
  } else {
    return absl::OkStatus();
  }
  return MakeError(Reason::kInvalidField, what, {{"field", "device"}, {"device", device.substr(0, kMaxShownBytes)}});
}

absl::StatusOr<std::string> ParseKeyId(const std::string& key_id) {
  std::string id = key_id;
  if (const size_t scheme = key_id.find("://"); scheme != std::string::npos) {
    std::string path = key_id.substr(scheme + 3);
    if (path.ends_with('/')) path.pop_back();
    const size_t slash = path.rfind('/');
    // Without a path there is only a host's name.
    id = slash == std::string::npos ? "" : path.substr(slash + 1);
  }
  if (IsKeyId(id)) return id;
  // What was given is not repeated: somebody may have put the key itself there.
  return MakeError(Reason::kInvalidKeyId,
                   absl::StrCat("this is not a key id; it has 1 to ", kMaxKeyIdBytes, " ", kKeyIdCharacters),
                   {{"field", "key.key_id"}, {"length", absl::StrCat(key_id.size())}});
}

}  // namespace volcrypt
