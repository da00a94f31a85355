#include "agent/rpc/to_api.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "agent/libvirt/secret_xml.h"
#include "encryptors/valid_utf8.h"

namespace volcrypt {
namespace {

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
    case MappingState::kWaiting:
      return v1::Attachment::STATE_WAITING;
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

v1::Attachment ToApi(const Attachment& attachment, Detail detail) {
  v1::Attachment out = ToApi(static_cast<const Mapping&>(attachment), detail);
  if (attachment.mode == AttachMode::kLibvirtSecret) {
    out.set_mode(v1::MODE_LIBVIRT_SECRET);
    out.clear_open_count();
    if (detail == Detail::kList) {
      out.clear_encryption();
      out.mutable_encryption()->set_format(FormatToApi(attachment.encryption.format));
    }
  }
  if (attachment.libvirt_secret_uuid.empty()) return out;
  out.set_libvirt_secret_uuid(attachment.libvirt_secret_uuid);
  // What a mapping shows is decrypted already.
  if (attachment.mode == AttachMode::kLibvirtSecret) {
    out.set_disk_encryption_xml(DiskEncryptionXml(attachment.libvirt_secret_uuid));
  }
  return out;
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
  out.set_algorithm(ValidUtf8(metadata.algorithm));
  out.set_bit_length(metadata.bit_length);
  out.set_status(ValidUtf8(metadata.status));
  if (metadata.created_at) *out.mutable_created_at() = TimestampOf(*metadata.created_at);
  for (const FirstUseRecord& record : metadata.first_uses) out.add_formatted_volumes(ValidUtf8(record.volume_id));
  return out;
}

v1::CheckKeyManagerResponse ToApi(const std::vector<CheckStep>& steps) {
  v1::CheckKeyManagerResponse out;
  for (const CheckStep& taken : steps) {
    v1::CheckKeyManagerResponse::Step& step = *out.add_steps();
    step.set_name(taken.name);
    step.set_passed(taken.passed);
    step.set_detail(ValidUtf8(taken.detail));
    step.set_remedy(ValidUtf8(taken.remedy));
    if (taken.reason) step.set_reason(std::string(ReasonName(*taken.reason)));
  }
  return out;
}

}  // namespace volcrypt
