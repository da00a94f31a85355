#include "encryptors/request_validation.h"

#include <algorithm>
#include <climits>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "encryptors/reason.h"
#include "encryptors/volume_id.h"

namespace volcrypt {
namespace {

// A LUKS1 header has 32 bytes each for the cipher and for its mode, their NULs included.
constexpr size_t kMaxCipherPart = 31;
constexpr size_t kMaxAllowedCiphers = 32;
// Key references are stored in the header's token and in this host's records.
constexpr size_t kMaxKeyReference = 255;
constexpr uint32_t kMaxKeySizeBits = 1024;

absl::Status InvalidField(const std::string& field, const std::string& demand) {
  return MakeError(Reason::kInvalidField, absl::StrCat(field, " ", demand), {{"field", field}});
}

bool HasControlCharacter(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return absl::ascii_iscntrl(static_cast<unsigned char>(c)); });
}

bool IsLowerHex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

bool IsCipherCharacter(char c) {
  return absl::ascii_islower(static_cast<unsigned char>(c)) || absl::ascii_isdigit(static_cast<unsigned char>(c)) ||
         c == '_' || c == ':' || c == ',';
}

bool IsCipherPart(absl::string_view part) {
  return !part.empty() && part.size() <= kMaxCipherPart && std::all_of(part.begin(), part.end(), IsCipherCharacter);
}

absl::Status Unsupported(const std::string& field, const std::string& value, const std::string& demand) {
  return MakeError(Reason::kUnsupportedEncryption, absl::StrCat(field, " \"", value, "\" ", demand),
                   {{"field", absl::StrCat("encryption.", field)}, {field, value}});
}

absl::Status ValidateEncryption(const Encryption& encryption) {
  if (!encryption.cipher.empty() && !IsCipherName(encryption.cipher)) {
    return Unsupported("cipher", encryption.cipher,
                       "is not in the kernel's notation; write aes-xts-plain64, for example");
  }
  if (encryption.key_size_bits % 8 != 0 || encryption.key_size_bits > kMaxKeySizeBits) {
    return Unsupported("key_size_bits", absl::StrCat(encryption.key_size_bits),
                       "is no key size; aes-xts-plain64 has 256 or 512");
  }
  const uint32_t sector = encryption.sector_size_bytes;
  if (sector != 0 && sector != 512 && sector != 4096) {
    return Unsupported("sector_size_bytes", absl::StrCat(sector), "is not 512, 4096 or 0 (choose)");
  }
  return absl::OkStatus();
}

absl::Status ValidateKeyReference(const KeyReference& key) {
  if (key.key_manager.size() > kMaxKeyReference || HasControlCharacter(key.key_manager)) {
    return InvalidField("key.key_manager", "must be at most 255 bytes without control characters");
  }
  if (key.key_id.size() > kMaxKeyReference || HasControlCharacter(key.key_id)) {
    return MakeError(Reason::kInvalidKeyId, "key.key_id must be at most 255 bytes without control characters",
                     {{"field", "key.key_id"}});
  }
  return absl::OkStatus();
}

absl::Status ValidateAllowedCiphers(const std::vector<std::string>& ciphers) {
  if (ciphers.size() > kMaxAllowedCiphers) return InvalidField("allowed_ciphers", "may name at most 32 ciphers");
  if (!std::all_of(ciphers.begin(), ciphers.end(), [](const std::string& cipher) { return IsCipherName(cipher); })) {
    return InvalidField("allowed_ciphers", "must be in the kernel's notation; write aes-xts-plain64, for example");
  }
  return absl::OkStatus();
}

absl::Status ValidateFirstUse(const AttachRequest& request) {
  if (request.leave_unmapped && request.may_format && request.encryption.format != Format::kLuks1) {
    return InvalidField("encryption.format", "must be LUKS1 where QEMU decrypts");
  }
  if (!request.attached_as_uuid.empty()) {
    if (!IsUuid(request.attached_as_uuid)) return InvalidField("attached_as_uuid", "must be a lower-case UUID");
    if (!request.leave_unmapped || request.may_format) {
      return InvalidField("attached_as_uuid", "is of what QEMU decrypts, and that is never formatted");
    }
  }
  if (request.format_as_uuid.empty()) return absl::OkStatus();
  if (!IsUuid(request.format_as_uuid)) return InvalidField("format_as_uuid", "must be a lower-case UUID");
  if (!request.may_format || request.read_only) {
    return InvalidField("format_as_uuid", "needs first use to be allowed and the attachment to be writable");
  }
  return absl::OkStatus();
}

absl::Status ValidateDecryptedByQemu(const AttachRequest& request) {
  for (const auto& [volume_id, device] : request.decrypted_by_qemu) {
    if (!IsValidVolumeId(volume_id) || !ValidateDevice(device).ok() || volume_id == request.volume_id) {
      return InvalidField("decrypted_by_qemu", "must be of other volumes, each an id and an absolute path");
    }
  }
  return absl::OkStatus();
}

}  // namespace

bool IsCipherName(std::string_view cipher) {
  const std::vector<absl::string_view> parts =
      absl::StrSplit(absl::string_view(cipher.data(), cipher.size()), absl::MaxSplits('-', 2));
  // A fourth part would be in the last one, where a hyphen is no cipher character; sizes as LUKS1 stores them.
  return parts.size() == 3 && std::all_of(parts.begin(), parts.end(), IsCipherPart) &&
         parts[1].size() + 1 + parts[2].size() <= kMaxCipherPart;
}

bool IsUuid(std::string_view uuid) {
  if (uuid.size() != 36) return false;
  for (size_t i = 0; i < uuid.size(); ++i) {
    const bool hyphen = i == 8 || i == 13 || i == 18 || i == 23;
    if (hyphen ? uuid[i] != '-' : !IsLowerHex(uuid[i])) return false;
  }
  return true;
}

absl::Status ValidateVolumeId(std::string_view volume_id) {
  if (IsValidVolumeId(volume_id)) return absl::OkStatus();
  return MakeError(Reason::kInvalidVolumeId,
                   "volume_id must be 1 to 74 letters, digits, '_', '.' and '-', the first a letter or digit",
                   {{"field", "volume_id"}, {"volume_id", std::string(volume_id)}});
}

absl::Status ValidateDevice(std::string_view device) {
  if (device.empty() || device[0] != '/') return InvalidField("device", "must be an absolute path");
  if (device.size() >= PATH_MAX) return InvalidField("device", "is longer than any path");
  if (HasControlCharacter(device)) return InvalidField("device", "must not contain control characters");
  return absl::OkStatus();
}

absl::Status Validate(const AttachRequest& request) {
  if (absl::Status status = ValidateVolumeId(request.volume_id); !status.ok()) return status;
  if (absl::Status status = ValidateDevice(request.device); !status.ok()) return status;
  if (absl::Status status = ValidateKeyReference(request.key); !status.ok()) return status;
  if (absl::Status status = ValidateEncryption(request.encryption); !status.ok()) return status;
  if (absl::Status status = ValidateAllowedCiphers(request.allowed_ciphers); !status.ok()) return status;
  if (absl::Status status = ValidateDecryptedByQemu(request); !status.ok()) return status;
  return ValidateFirstUse(request);
}

absl::Status Validate(const DetachRequest& request) {
  if (request.volume_id.empty() == request.device.empty()) {
    return InvalidField("volume_id", "or device must be given, and not both");
  }
  return request.volume_id.empty() ? ValidateDevice(request.device) : ValidateVolumeId(request.volume_id);
}

absl::Status Validate(const ExtendRequest& request) {
  if (absl::Status status = ValidateVolumeId(request.volume_id); !status.ok()) return status;
  return ValidateAllowedCiphers(request.allowed_ciphers);
}

}  // namespace volcrypt
