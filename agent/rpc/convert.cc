#include "agent/rpc/convert.h"

#include <algorithm>
#include <array>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "encryptors/reason.h"
#include "encryptors/valid_utf8.h"

namespace volcrypt {
namespace {

constexpr uint32_t kDefaultKeyBits = 256;
constexpr std::array<uint32_t, 4> kKeyBits = {128, 192, 256, 512};
constexpr size_t kMaxKeyNameBytes = 255;

// proto3 keeps numbers that an enumeration does not have: a newer client may mean something by them, so they are
// refused rather than taken for "unspecified".
absl::Status UnknownNumber(const std::string& field, int number) {
  return MakeError(Reason::kInvalidField, absl::StrCat(field, ": ", number, " is not known to this version"),
                   {{"field", field}, {"value", absl::StrCat(number)}});
}

absl::Status InvalidField(const std::string& field, const std::string& what) {
  return MakeError(Reason::kInvalidField, absl::StrCat(field, ": ", what), {{"field", field}});
}

absl::Status FormatFromApi(int number, AttachCall& call) {
  switch (number) {
    case v1::Encryption::FORMAT_UNSPECIFIED:
      call.encryption.format = Format::kUnspecified;
      break;
    case v1::Encryption::FORMAT_LUKS1:
      call.encryption.format = Format::kLuks1;
      break;
    case v1::Encryption::FORMAT_LUKS2:
      call.encryption.format = Format::kLuks2;
      break;
    case v1::Encryption::FORMAT_PLAIN:
      call.encryption.format = Format::kPlain;
      break;
    case v1::Encryption::FORMAT_NONE:
      call.encryption_none = true;
      break;
    default:
      return UnknownNumber("encryption.format", number);
  }
  return absl::OkStatus();
}

absl::Status ModeFromApi(int number, AttachMode& mode) {
  switch (number) {
    case v1::MODE_UNSPECIFIED:
      mode = AttachMode::kUnspecified;
      break;
    case v1::MODE_HOST_MAPPING:
      mode = AttachMode::kHostMapping;
      break;
    case v1::MODE_LIBVIRT_SECRET:
      mode = AttachMode::kLibvirtSecret;
      break;
    default:
      return UnknownNumber("mode", number);
  }
  return absl::OkStatus();
}

absl::Status FirstUseFromApi(int number, FirstUse& first_use) {
  switch (number) {
    case v1::AttachVolumeRequest::FIRST_USE_UNSPECIFIED:
      first_use = FirstUse::kUnspecified;
      break;
    case v1::AttachVolumeRequest::FIRST_USE_FORMAT_IF_BLANK:
      first_use = FirstUse::kFormatIfBlank;
      break;
    case v1::AttachVolumeRequest::FIRST_USE_REFUSE:
      first_use = FirstUse::kRefuse;
      break;
    default:
      return UnknownNumber("first_use", number);
  }
  return absl::OkStatus();
}

v1::Encryption::Format FormatToApi(Format format) {
  switch (format) {
    case Format::kUnspecified:
      return v1::Encryption::FORMAT_UNSPECIFIED;
    case Format::kLuks1:
      return v1::Encryption::FORMAT_LUKS1;
    case Format::kLuks2:
      return v1::Encryption::FORMAT_LUKS2;
    case Format::kPlain:
      return v1::Encryption::FORMAT_PLAIN;
  }
  return v1::Encryption::FORMAT_UNSPECIFIED;
}

v1::Attachment::State StateToApi(MappingState state) {
  switch (state) {
    case MappingState::kActive:
      return v1::Attachment::STATE_ACTIVE;
    case MappingState::kSuspended:
      return v1::Attachment::STATE_SUSPENDED;
    case MappingState::kBroken:
      return v1::Attachment::STATE_BROKEN;
    case MappingState::kDetaching:
      return v1::Attachment::STATE_DETACHING;
  }
  return v1::Attachment::STATE_UNSPECIFIED;
}

v1::InspectVolumeResponse::Content ContentToApi(Content content) {
  switch (content) {
    case Content::kUnspecified:
      return v1::InspectVolumeResponse::CONTENT_UNSPECIFIED;
    case Content::kBlank:
      return v1::InspectVolumeResponse::CONTENT_BLANK;
    case Content::kLuks1:
      return v1::InspectVolumeResponse::CONTENT_LUKS1;
    case Content::kLuks2:
      return v1::InspectVolumeResponse::CONTENT_LUKS2;
    case Content::kForeign:
      return v1::InspectVolumeResponse::CONTENT_FOREIGN;
    case Content::kUnreadable:
      return v1::InspectVolumeResponse::CONTENT_UNREADABLE;
    case Content::kIncompleteFormat:
      return v1::InspectVolumeResponse::CONTENT_INCOMPLETE_FORMAT;
    case Content::kErased:
      return v1::InspectVolumeResponse::CONTENT_ERASED;
    case Content::kDamagedHeader:
      return v1::InspectVolumeResponse::CONTENT_DAMAGED_HEADER;
  }
  return v1::InspectVolumeResponse::CONTENT_UNSPECIFIED;
}

std::string AttachWould(const Inspection& inspection) {
  const std::string& detail = inspection.detail;
  const std::string found = detail.empty() ? "" : absl::StrCat(": ", detail);
  if (!inspection.mapped_as.empty()) {
    return absl::StrCat("find it open as ", inspection.mapped_as,
                        ": already attached when that is this volume's mapping, else refuse (DEVICE_IN_USE)");
  }
  switch (inspection.content) {
    case Content::kBlank:
      return "format it, if first use is allowed and no record says that the volume was ever used";
    case Content::kLuks1:
    case Content::kLuks2:
      return "open it with the key that the caller names, and change nothing on it";
    case Content::kForeign:
      return absl::StrCat("refuse (DEVICE_NOT_BLANK): there is data of another kind", found);
    case Content::kUnreadable:
      return absl::StrCat("fail (DEVICE_IO_ERROR): it cannot be read", found);
    case Content::kIncompleteFormat:
      return absl::StrCat("continue the interrupted first use, if it began on this host", found);
    case Content::kErased:
      return absl::StrCat("refuse (VOLUME_ERASED): the volume was erased", found);
    case Content::kDamagedHeader:
      return absl::StrCat("refuse (HEADER_DAMAGED): the LUKS header does not load", found);
    case Content::kUnspecified:
      break;
  }
  return {};
}

v1::LuksHeader LuksToApi(const LuksHeader& luks) {
  v1::LuksHeader out;
  out.set_uuid(luks.uuid);
  *out.mutable_encryption() = ToApi(luks.encryption);
  for (const Keyslot& slot : luks.keyslots) {
    v1::Keyslot& keyslot = *out.add_keyslots();
    keyslot.set_index(slot.index);
    keyslot.set_pbkdf(slot.pbkdf);
    keyslot.set_iterations(slot.iterations);
    keyslot.set_memory_kib(slot.memory_kib);
    keyslot.set_parallelism(slot.parallelism);
    keyslot.set_cipher(slot.cipher);
  }
  out.set_volume_id(luks.volume_id);
  if (!luks.key.key_id.empty()) *out.mutable_key() = ToApi(luks.key);
  out.set_label(luks.label);
  out.set_data_offset_bytes(luks.data_offset_bytes);
  return out;
}

google::protobuf::Timestamp TimestampOf(absl::Time time) {
  google::protobuf::Timestamp timestamp;
  const int64_t seconds = absl::ToUnixSeconds(time);
  timestamp.set_seconds(seconds);
  timestamp.set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(time - absl::FromUnixSeconds(seconds))));
  return timestamp;
}

const char* SecretType(KeyType type) {
  switch (type) {
    case KeyType::kSymmetric:
      return "symmetric";
    case KeyType::kPassphrase:
      return "passphrase";
    case KeyType::kOpaque:
      return "opaque";
  }
  return "";
}

}  // namespace

absl::StatusOr<AttachCall> FromApi(const v1::AttachVolumeRequest& request, bool caller_is_admin) {
  AttachCall call;
  call.volume_id = request.volume_id();
  call.device = request.device();
  call.key = FromApi(request.key());
  if (absl::Status status = FormatFromApi(request.encryption().format(), call); !status.ok()) return status;
  call.encryption.cipher = request.encryption().cipher();
  call.encryption.key_size_bits = request.encryption().key_size_bits();
  call.encryption.sector_size_bytes = request.encryption().sector_size_bytes();
  if (absl::Status status = ModeFromApi(request.mode(), call.mode); !status.ok()) return status;
  if (absl::Status status = FirstUseFromApi(request.first_use(), call.first_use); !status.ok()) return status;
  call.read_only = request.read_only();
  call.allow_discards = request.allow_discards();
  call.register_libvirt_secret = request.register_libvirt_secret();
  call.provider = request.provider();
  call.control_location = request.control_location();
  call.caller_is_admin = caller_is_admin;
  return call;
}

// keep_libvirt_secret asks for less than a detach: without libvirt secrets there is nothing to keep.
DetachRequest FromApi(const v1::DetachVolumeRequest& request) {
  return {.volume_id = request.volume_id(), .device = request.device(), .deferred = request.deferred()};
}

ExtendCall FromApi(const v1::ExtendVolumeRequest& request, bool caller_is_admin) {
  return {.volume_id = request.volume_id(), .key = FromApi(request.key()), .caller_is_admin = caller_is_admin};
}

std::optional<KeyReference> FromApi(const v1::KeyReference& key) {
  if (key.key_manager().empty() && key.key_id().empty()) return std::nullopt;
  return KeyReference{.key_manager = key.key_manager(), .key_id = key.key_id()};
}

absl::StatusOr<NewKey> FromApi(const v1::CreateKeyRequest& request) {
  NewKey key{.bit_length = request.bit_length() == 0 ? kDefaultKeyBits : request.bit_length(), .name = request.name()};
  if (!request.algorithm().empty() && absl::AsciiStrToLower(request.algorithm()) != key.algorithm) {
    return InvalidField("algorithm", absl::StrCat("\"", request.algorithm().substr(0, 32), "\" is not made here: aes"));
  }
  if (std::ranges::find(kKeyBits, key.bit_length) == kKeyBits.end()) {
    return InvalidField("bit_length", absl::StrCat(key.bit_length, " is none of 128, 192, 256, 512"));
  }
  if (key.name.size() > kMaxKeyNameBytes) {
    return InvalidField("name", absl::StrCat("longer than ", kMaxKeyNameBytes, " bytes"));
  }
  return key;
}

v1::Attachment ToApi(const Mapping& mapping, Detail detail) {
  v1::Attachment out;
  out.set_volume_id(mapping.volume_id);
  out.set_state(StateToApi(mapping.state));
  out.set_mode(v1::MODE_HOST_MAPPING);
  out.set_device(ValidUtf8(mapping.device));
  out.set_device_path(mapping.device_path);
  out.set_size_bytes(mapping.size_bytes);
  out.set_luks_uuid(mapping.luks_uuid);
  *out.mutable_encryption() = ToApi(mapping.encryption);
  out.set_read_only(mapping.read_only);
  out.set_state_reason(mapping.state_reason);
  out.set_header_volume_id(mapping.header_volume_id);
  if (detail == Detail::kList) return out;
  out.set_open_count(mapping.open_count);
  if (mapping.key) *out.mutable_key() = ToApi(*mapping.key);
  if (mapping.formatted_at) *out.mutable_formatted_at() = TimestampOf(*mapping.formatted_at);
  return out;
}

v1::Encryption ToApi(const Encryption& encryption) {
  v1::Encryption out;
  out.set_format(FormatToApi(encryption.format));
  out.set_cipher(encryption.cipher);
  out.set_key_size_bits(encryption.key_size_bits);
  out.set_sector_size_bytes(encryption.sector_size_bytes);
  return out;
}

v1::InspectVolumeResponse ToApi(const Inspection& inspection) {
  v1::InspectVolumeResponse out;
  out.set_device(inspection.device);
  out.set_size_bytes(inspection.size_bytes);
  out.set_content(ContentToApi(inspection.content));
  for (const Signature& found : inspection.signatures) {
    v1::Signature& signature = *out.add_signatures();
    signature.set_type(found.type);
    signature.set_offset_bytes(found.offset_bytes);
    signature.set_uuid(found.uuid);
    signature.set_label(found.label);
  }
  if (inspection.luks) *out.mutable_luks() = LuksToApi(*inspection.luks);
  out.set_mapped_as(inspection.mapped_as);
  out.set_attach_would(AttachWould(inspection));
  return out;
}

v1::KeyReference ToApi(const KeyReference& key) {
  v1::KeyReference out;
  out.set_key_manager(key.key_manager);
  out.set_key_id(key.key_id);
  return out;
}

v1::GetKeyMetadataResponse ToApi(const KeyReference& key, const KeyMetadata& metadata) {
  v1::GetKeyMetadataResponse out;
  *out.mutable_key() = ToApi(key);
  out.set_secret_type(SecretType(metadata.type));
  out.set_algorithm(metadata.algorithm);
  out.set_bit_length(metadata.bit_length);
  out.set_status(metadata.status);
  if (metadata.created_at) *out.mutable_created_at() = TimestampOf(*metadata.created_at);
  for (const FirstUseRecord& record : metadata.first_uses) out.add_formatted_volumes(record.volume_id);
  return out;
}

}  // namespace volcrypt
