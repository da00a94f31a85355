#include "agent/attach_request.h"

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "agent/encryption_rules.h"
#include "agent/openstack_provider.h"
#include "agent/request_fields.h"
#include "encryptors/reason.h"

namespace volcrypt {
namespace {

// Good for both modes of operation: AES-128 with XTS, AES-256 with CBC.
constexpr uint32_t kFallbackKeySizeBits = 256;

absl::Status InvalidField(std::string_view field, std::string_view what) {
  return MakeError(Reason::kInvalidField, what, {{"field", std::string(field)}});
}

absl::Status Unsupported(std::string_view field, std::string_view what, std::string_view value) {
  return MakeError(Reason::kUnsupportedEncryption, what,
                   {{"field", std::string(field)}, {"value", std::string(value)}});
}

absl::Status CheckPlace(const AttachCall& call, bool has_libvirt) {
  if (!call.control_location.empty() && !absl::EqualsIgnoreCase(call.control_location, "front-end")) {
    return InvalidField("control_location",
                        absl::StrCat("control_location \"", absl::Utf8SafeCHexEscape(call.control_location),
                                     "\" means that this host does not encrypt; only front-end is attached here"));
  }
  if (WantsSecret(call) && !has_libvirt) {
    return InvalidField(call.mode == AttachMode::kLibvirtSecret ? "mode" : "register_libvirt_secret",
                        "this agent has no libvirt to register secrets with; an operator sets [libvirt] uri");
  }
  return absl::OkStatus();
}

// What encryption.format and provider say together; kUnspecified when neither says anything.
absl::StatusOr<Format> AskedFormat(const AttachCall& call) {
  if (call.encryption_none) {
    return Unsupported("encryption.format", "FORMAT_NONE encrypts nothing; volumes are never attached in clear",
                       "FORMAT_NONE");
  }
  Format format = call.encryption.format;
  if (!call.provider.empty()) {
    const absl::StatusOr<Format> provided = ParseProvider(call.provider);
    if (!provided.ok()) return provided.status();
    if (format != Format::kUnspecified && format != *provided) {
      return InvalidField("provider", absl::StrCat("provider ", call.provider,
                                                   " and encryption.format name different formats; give one of them"));
    }
    format = *provided;
  }
  if (format == Format::kPlain) {
    return Unsupported(call.provider.empty() ? "encryption.format" : "provider",
                       "this version opens no plain dm-crypt volumes; use luks2 or luks1", "plain");
  }
  return format;
}

bool KeySizeFits(const Encryption& encryption, const VolumesConfig& config) {
  const std::vector<EncryptionFault> faults = FaultsOf(encryption, config.allowed_ciphers);
  return std::ranges::find(faults, "key_size_bits", &EncryptionFault::field) == faults.end();
}

// The configured key size belongs to the configured cipher, the configured sector size to LUKS2.
void FillDefaults(const VolumesConfig& config, Encryption& encryption) {
  if (encryption.cipher.empty()) encryption.cipher = config.encryption.cipher;
  if (encryption.key_size_bits == 0) {
    encryption.key_size_bits = config.encryption.key_size_bits;
    if (!KeySizeFits(encryption, config)) encryption.key_size_bits = kFallbackKeySizeBits;
  }
  if (encryption.sector_size_bytes == 0 && encryption.format != Format::kLuks1) {
    encryption.sector_size_bytes = config.encryption.sector_size_bytes;
  }
}

absl::StatusOr<Encryption> MakeEncryption(const AttachCall& call, const VolumesConfig& config) {
  const absl::StatusOr<Format> asked = AskedFormat(call);
  if (!asked.ok()) return asked.status();
  Encryption encryption = call.encryption;
  encryption.format = *asked == Format::kUnspecified ? config.encryption.format : *asked;
  if (call.mode == AttachMode::kLibvirtSecret) {
    if (*asked != Format::kUnspecified && *asked != Format::kLuks1) {
      return Unsupported(call.provider.empty() ? "encryption.format" : "provider",
                         "QEMU opens LUKS1 alone; ask for LUKS1 or for MODE_HOST_MAPPING", "luks2");
    }
    encryption.format = Format::kLuks1;
  }
  FillDefaults(config, encryption);
  const std::vector<EncryptionFault> faults = FaultsOf(encryption, config.allowed_ciphers);
  if (!faults.empty()) {
    const std::string field = absl::StrCat("encryption.", faults[0].field);
    const std::string what = absl::StrCat(field, ": ", faults[0].what);
    return faults[0].field == "cipher" ? Unsupported(field, what, encryption.cipher) : InvalidField(field, what);
  }
  return encryption;
}

// No key at all gives an empty key_id.
absl::StatusOr<KeyReference> MakeKey(const AttachCall& call) {
  if (!call.key || (call.key->key_manager.empty() && call.key->key_id.empty())) {
    if (call.caller_is_admin) return KeyReference{};
    return MakeError(Reason::kKeyRequired, "the request names no key", {{"field", "key"}});
  }
  absl::StatusOr<std::string> key_id = ParseKeyId(call.key->key_id);
  if (!key_id.ok()) return key_id.status();
  return KeyReference{.key_manager = call.key->key_manager, .key_id = *std::move(key_id)};
}

}  // namespace

bool WantsSecret(const AttachCall& call) {
  return call.register_libvirt_secret || call.mode == AttachMode::kLibvirtSecret;
}

absl::StatusOr<AttachRequest> MakeAttachRequest(const AttachCall& call, const VolumesConfig& config, bool has_libvirt) {
  if (absl::Status checked = CheckVolumeId(call.volume_id); !checked.ok()) return checked;
  if (absl::Status checked = CheckPlace(call, has_libvirt); !checked.ok()) return checked;
  const bool no_device = call.device.empty() && call.mode == AttachMode::kLibvirtSecret;
  if (absl::Status checked = no_device ? absl::OkStatus() : CheckDevicePath(call.device); !checked.ok()) return checked;
  absl::StatusOr<Encryption> encryption = MakeEncryption(call, config);
  if (!encryption.ok()) return encryption.status();
  absl::StatusOr<KeyReference> key = MakeKey(call);
  if (!key.ok()) return key.status();

  if (no_device && key->key_id.empty()) {
    return MakeError(Reason::kKeyRequired, "without a device there is no header to name a key", {{"field", "key"}});
  }

  const bool first_use_allowed = call.first_use == FirstUsePolicy::kUnspecified
                                     ? config.format_if_blank
                                     : call.first_use == FirstUsePolicy::kFormatIfBlank;
  const bool may_format = first_use_allowed && !call.read_only && !key->key_id.empty() && !no_device;
  return AttachRequest{.volume_id = call.volume_id,
                       .device = call.device,
                       .key = *std::move(key),
                       .encryption = *std::move(encryption),
                       .read_only = call.read_only,
                       .allow_discards = call.allow_discards,
                       .may_format = may_format,
                       .format_as_uuid = "",
                       .allowed_ciphers = config.allowed_ciphers,
                       .leave_unmapped = call.mode == AttachMode::kLibvirtSecret,
                       .check_key = WantsSecret(call)};
}

}  // namespace volcrypt
