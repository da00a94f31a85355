#include "agent/header_key.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "agent/request_fields.h"
#include "encryptors/reason.h"

namespace volcrypt {
namespace {

absl::Status KeyRequired(const Inspection& inspection, const std::string& volume_id, const std::string& why) {
  return MakeError(
      Reason::kKeyRequired,
      absl::StrCat("the request names no key and ", inspection.device, " does not tell it: ", why, "; name the key"),
      {{"field", "key"}, {"volume_id", volume_id}, {"device", inspection.device}});
}

}  // namespace

absl::StatusOr<KeyReference> KeyNamedByHeader(const Inspection& inspection, const std::string& volume_id,
                                              const std::string& default_key_manager) {
  if (!inspection.luks) return KeyRequired(inspection, volume_id, "there is no LUKS header");
  const LuksHeader& header = *inspection.luks;
  if (header.volume_id.empty()) return KeyRequired(inspection, volume_id, "its header has no token of volcrypt");
  if (header.volume_id != volume_id) {
    return KeyRequired(inspection, volume_id,
                       absl::StrCat("its header is of volume \"", absl::Utf8SafeCHexEscape(header.volume_id), "\""));
  }
  if (!header.key.key_manager.empty() && header.key.key_manager != default_key_manager) {
    return KeyRequired(inspection, volume_id,
                       absl::StrCat("its header names key manager \"", absl::Utf8SafeCHexEscape(header.key.key_manager),
                                    "\", which is not the default"));
  }
  absl::StatusOr<std::string> key_id = ParseKeyId(header.key.key_id);
  if (!key_id.ok()) return KeyRequired(inspection, volume_id, "its header names no valid key id");
  return KeyReference{.key_manager = default_key_manager, .key_id = *std::move(key_id)};
}

}  // namespace volcrypt
