#include "encryptors/wire.h"

#include "absl/strings/str_cat.h"
#include "encryptors/reason.h"
#include "encryptors/valid_utf8.h"

namespace volcrypt {
namespace {

// Reads an enumeration from the wire; `last` is its largest member.
template <typename Enum>
absl::Status Read(uint32_t number, Enum last, Enum& value) {
  if (number > static_cast<uint32_t>(last)) {
    return absl::InvalidArgumentError(absl::StrCat("number ", number, " is outside its enumeration"));
  }
  value = static_cast<Enum>(number);
  return absl::OkStatus();
}

helper::Encryption EncryptionToWire(const Encryption& encryption) {
  helper::Encryption wire;
  wire.set_format(static_cast<uint32_t>(encryption.format));
  wire.set_cipher(ValidUtf8(encryption.cipher));
  wire.set_key_size_bits(encryption.key_size_bits);
  wire.set_sector_size_bytes(encryption.sector_size_bytes);
  return wire;
}

absl::StatusOr<Encryption> EncryptionFromWire(const helper::Encryption& wire) {
  Encryption encryption{
      .cipher = wire.cipher(), .key_size_bits = wire.key_size_bits(), .sector_size_bytes = wire.sector_size_bytes()};
  if (absl::Status status = Read(wire.format(), Format::kPlain, encryption.format); !status.ok()) return status;
  return encryption;
}

helper::KeyReference KeyToWire(const KeyReference& key) {
  helper::KeyReference wire;
  wire.set_key_manager(ValidUtf8(key.key_manager));
  wire.set_key_id(ValidUtf8(key.key_id));
  return wire;
}

KeyReference KeyFromWire(const helper::KeyReference& wire) { return {wire.key_manager(), wire.key_id()}; }

void LuksToWire(const LuksHeader& luks, helper::Inspection& wire) {
  wire.set_has_luks(true);
  wire.set_luks_uuid(ValidUtf8(luks.uuid));
  *wire.mutable_encryption() = EncryptionToWire(luks.encryption);
  for (const Keyslot& keyslot : luks.keyslots) {
    helper::Keyslot& out = *wire.add_keyslots();
    out.set_index(keyslot.index);
    out.set_pbkdf(ValidUtf8(keyslot.pbkdf));
    out.set_iterations(keyslot.iterations);
    out.set_memory_kib(keyslot.memory_kib);
    out.set_parallelism(keyslot.parallelism);
    out.set_cipher(ValidUtf8(keyslot.cipher));
  }
  wire.set_volume_id(ValidUtf8(luks.volume_id));
  *wire.mutable_key() = KeyToWire(luks.key);
  wire.set_label(ValidUtf8(luks.label));
  wire.set_data_offset_bytes(luks.data_offset_bytes);
}

absl::StatusOr<LuksHeader> LuksFromWire(const helper::Inspection& wire) {
  absl::StatusOr<Encryption> encryption = EncryptionFromWire(wire.encryption());
  if (!encryption.ok()) return encryption.status();
  LuksHeader luks{.uuid = wire.luks_uuid(),
                  .encryption = *std::move(encryption),
                  .volume_id = wire.volume_id(),
                  .key = KeyFromWire(wire.key()),
                  .label = wire.label(),
                  .data_offset_bytes = wire.data_offset_bytes()};
  for (const helper::Keyslot& in : wire.keyslots()) {
    luks.keyslots.push_back({in.index(), in.pbkdf(), in.iterations(), in.memory_kib(), in.parallelism(), in.cipher()});
  }
  return luks;
}

}  // namespace

helper::AttachRequest ToWire(const AttachRequest& request) {
  helper::AttachRequest wire;
  wire.set_volume_id(request.volume_id);
  wire.set_device(request.device);
  *wire.mutable_key() = KeyToWire(request.key);
  *wire.mutable_encryption() = EncryptionToWire(request.encryption);
  wire.set_read_only(request.read_only);
  wire.set_allow_discards(request.allow_discards);
  wire.set_may_format(request.may_format);
  wire.set_format_as_uuid(request.format_as_uuid);
  for (const std::string& cipher : request.allowed_ciphers) wire.add_allowed_ciphers(cipher);
  wire.set_leave_unmapped(request.leave_unmapped);
  wire.set_check_key(request.check_key);
  wire.set_attached_as_uuid(request.attached_as_uuid);
  wire.mutable_decrypted_by_qemu()->insert(request.decrypted_by_qemu.begin(), request.decrypted_by_qemu.end());
  return wire;
}

absl::StatusOr<AttachRequest> FromWire(const helper::AttachRequest& wire) {
  absl::StatusOr<Encryption> encryption = EncryptionFromWire(wire.encryption());
  if (!encryption.ok()) return encryption.status();
  return AttachRequest{.volume_id = wire.volume_id(),
                       .device = wire.device(),
                       .key = KeyFromWire(wire.key()),
                       .encryption = *std::move(encryption),
                       .read_only = wire.read_only(),
                       .allow_discards = wire.allow_discards(),
                       .may_format = wire.may_format(),
                       .format_as_uuid = wire.format_as_uuid(),
                       .allowed_ciphers = {wire.allowed_ciphers().begin(), wire.allowed_ciphers().end()},
                       .leave_unmapped = wire.leave_unmapped(),
                       .attached_as_uuid = wire.attached_as_uuid(),
                       .decrypted_by_qemu = {wire.decrypted_by_qemu().begin(), wire.decrypted_by_qemu().end()},
                       .check_key = wire.check_key()};
}

helper::AttachResult ToWire(const AttachResult& result) {
  helper::AttachResult wire;
  wire.set_outcome(static_cast<uint32_t>(result.outcome));
  *wire.mutable_mapping() = ToWire(result.mapping);
  wire.set_resume_uuid(result.resume_uuid);
  for (const std::string& warning : result.warnings) wire.add_warnings(ValidUtf8(warning));
  return wire;
}

absl::StatusOr<AttachResult> FromWire(const helper::AttachResult& wire) {
  AttachResult result{.resume_uuid = wire.resume_uuid(), .warnings = {wire.warnings().begin(), wire.warnings().end()}};
  if (absl::Status status = Read(wire.outcome(), AttachOutcome::kKeyNeeded, result.outcome); !status.ok()) {
    return status;
  }
  absl::StatusOr<Mapping> mapping = FromWire(wire.mapping());
  if (!mapping.ok()) return mapping.status();
  result.mapping = *std::move(mapping);
  return result;
}

helper::DetachRequest ToWire(const DetachRequest& request) {
  helper::DetachRequest wire;
  wire.set_volume_id(request.volume_id);
  wire.set_device(request.device);
  wire.set_deferred(request.deferred);
  return wire;
}

DetachRequest FromWire(const helper::DetachRequest& wire) {
  return {.volume_id = wire.volume_id(), .device = wire.device(), .deferred = wire.deferred()};
}

helper::DetachResult ToWire(const DetachResult& result) {
  helper::DetachResult wire;
  wire.set_was_attached(result.was_attached);
  wire.set_pending(result.pending);
  wire.set_volume_id(result.volume_id);
  wire.set_device(ValidUtf8(result.device));
  wire.set_device_identity(result.device_identity);
  wire.set_luks_uuid(ValidUtf8(result.luks_uuid));
  return wire;
}

DetachResult FromWire(const helper::DetachResult& wire) {
  return {.was_attached = wire.was_attached(),
          .pending = wire.pending(),
          .volume_id = wire.volume_id(),
          .device = wire.device(),
          .device_identity = wire.device_identity(),
          .luks_uuid = wire.luks_uuid()};
}

helper::ExtendRequest ToWire(const ExtendRequest& request) {
  helper::ExtendRequest wire;
  wire.set_volume_id(request.volume_id);
  for (const std::string& cipher : request.allowed_ciphers) wire.add_allowed_ciphers(cipher);
  return wire;
}

ExtendRequest FromWire(const helper::ExtendRequest& wire) {
  return {.volume_id = wire.volume_id(),
          .allowed_ciphers = {wire.allowed_ciphers().begin(), wire.allowed_ciphers().end()}};
}

helper::ExtendResult ToWire(const ExtendResult& result) {
  helper::ExtendResult wire;
  *wire.mutable_mapping() = ToWire(result.mapping);
  wire.set_previous_size_bytes(result.previous_size_bytes);
  return wire;
}

absl::StatusOr<ExtendResult> FromWire(const helper::ExtendResult& wire) {
  absl::StatusOr<Mapping> mapping = FromWire(wire.mapping());
  if (!mapping.ok()) return mapping.status();
  return ExtendResult{.mapping = *std::move(mapping), .previous_size_bytes = wire.previous_size_bytes()};
}

helper::Inspection ToWire(const Inspection& inspection) {
  helper::Inspection wire;
  wire.set_device(ValidUtf8(inspection.device));
  wire.set_size_bytes(inspection.size_bytes);
  wire.set_content(static_cast<uint32_t>(inspection.content));
  for (const Signature& signature : inspection.signatures) {
    helper::Signature& out = *wire.add_signatures();
    out.set_type(ValidUtf8(signature.type));
    out.set_offset_bytes(signature.offset_bytes);
    out.set_uuid(ValidUtf8(signature.uuid));
    out.set_label(ValidUtf8(signature.label));
  }
  if (inspection.luks) LuksToWire(*inspection.luks, wire);
  wire.set_mapped_as(ValidUtf8(inspection.mapped_as));
  wire.set_detail(ValidUtf8(inspection.detail));
  return wire;
}

absl::StatusOr<Inspection> FromWire(const helper::Inspection& wire) {
  Inspection inspection{
      .device = wire.device(), .size_bytes = wire.size_bytes(), .mapped_as = wire.mapped_as(), .detail = wire.detail()};
  if (absl::Status status = Read(wire.content(), Content::kDamagedHeader, inspection.content); !status.ok()) {
    return status;
  }
  for (const helper::Signature& in : wire.signatures()) {
    inspection.signatures.push_back({in.type(), in.offset_bytes(), in.uuid(), in.label()});
  }
  if (wire.has_luks()) {
    absl::StatusOr<LuksHeader> luks = LuksFromWire(wire);
    if (!luks.ok()) return luks.status();
    inspection.luks = *std::move(luks);
  }
  return inspection;
}

helper::Mapping ToWire(const Mapping& mapping) {
  helper::Mapping wire;
  wire.set_volume_id(mapping.volume_id);
  wire.set_state(static_cast<uint32_t>(mapping.state));
  wire.set_state_reason(ValidUtf8(mapping.state_reason));
  wire.set_device(ValidUtf8(mapping.device));
  wire.set_device_identity(mapping.device_identity);
  wire.set_device_path(mapping.device_path);
  wire.set_size_bytes(mapping.size_bytes);
  wire.set_luks_uuid(ValidUtf8(mapping.luks_uuid));
  *wire.mutable_encryption() = EncryptionToWire(mapping.encryption);
  wire.set_read_only(mapping.read_only);
  wire.set_open_count(mapping.open_count);
  wire.set_header_volume_id(ValidUtf8(mapping.header_volume_id));
  if (mapping.key) *wire.mutable_key() = KeyToWire(*mapping.key);
  if (mapping.formatted_at) wire.set_formatted_at_unix_seconds(absl::ToUnixSeconds(*mapping.formatted_at));
  return wire;
}

absl::StatusOr<Mapping> FromWire(const helper::Mapping& wire) {
  absl::StatusOr<Encryption> encryption = EncryptionFromWire(wire.encryption());
  if (!encryption.ok()) return encryption.status();
  Mapping mapping{.volume_id = wire.volume_id(),
                  .state_reason = wire.state_reason(),
                  .device = wire.device(),
                  .device_identity = wire.device_identity(),
                  .device_path = wire.device_path(),
                  .size_bytes = wire.size_bytes(),
                  .luks_uuid = wire.luks_uuid(),
                  .encryption = *std::move(encryption),
                  .read_only = wire.read_only(),
                  .open_count = wire.open_count(),
                  .header_volume_id = wire.header_volume_id()};
  if (absl::Status status = Read(wire.state(), MappingState::kDetaching, mapping.state); !status.ok()) return status;
  if (wire.has_key()) mapping.key = KeyFromWire(wire.key());
  if (wire.formatted_at_unix_seconds() != 0) {
    mapping.formatted_at = absl::FromUnixSeconds(wire.formatted_at_unix_seconds());
  }
  return mapping;
}

helper::Error ToWire(const absl::Status& error) {
  helper::Error wire;
  wire.set_reason(std::string(ReasonName(ReasonOf(error).value_or(Reason::kWorkerFailed))));
  wire.set_message(std::string(error.message()));
  for (auto& [key, value] : MetadataOf(error)) (*wire.mutable_metadata())[key] = value;
  return wire;
}

absl::Status FromWire(const helper::Error& wire) {
  return MakeError(ParseReason(wire.reason()).value_or(Reason::kWorkerFailed), wire.message(),
                   {wire.metadata().begin(), wire.metadata().end()});
}

}  // namespace volcrypt
