#pragma once

#include <cstddef>
#include <string>
#include <tuple>
#include <vector>

#include "encryptors/encryptor.h"

namespace volcrypt {

// Requests and results with every field set to something of its own, and their fields as tuples, for comparing.

inline Encryption SampleEncryption() {
  return {.format = Format::kLuks2, .cipher = "aes-xts-plain64", .key_size_bits = 512, .sector_size_bytes = 4096};
}

inline AttachRequest SampleAttachRequest() {
  return {.volume_id = "vol-1",
          .device = "/dev/disk/by-id/vol-1",
          .key = {.key_manager = "barbican", .key_id = "3f6c1b34-6d4d-4e9b-8f1d-0a7c5a1e9d10"},
          .encryption = SampleEncryption(),
          .read_only = false,
          .allow_discards = true,
          .may_format = true,
          .format_as_uuid = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff",
          .allowed_ciphers = {"aes-xts-plain64", "aes-cbc-essiv:sha256"},
          .decrypted_by_qemu = {{"vol-2", "/dev/vdc"}, {"vol-3", "/dev/vdd"}},
          .check_key = true};
}

inline Mapping SampleMapping() {
  return {.volume_id = "vol-1",
          .state = MappingState::kSuspended,
          .state_reason = "suspended by somebody",
          .device = "/dev/vdb",
          .device_identity = "253:16 serial=0042",
          .device_path = "/dev/mapper/volcrypt-vol-1",
          .size_bytes = uint64_t{5} << 40,
          .luks_uuid = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff",
          .encryption = SampleEncryption(),
          .read_only = true,
          .open_count = 3,
          .header_volume_id = "vol-0",
          .key = KeyReference{.key_manager = "local", .key_id = "key-1"},
          .formatted_at = absl::FromUnixSeconds(1'000'000'007)};
}

inline AttachResult SampleAttachResult() {
  return {.outcome = AttachOutcome::kFormatted,
          .mapping = SampleMapping(),
          .resume_uuid = "0b0e9d4e-7f0c-4d0c-9f59-4f64ad15f3bb",
          .warnings = {"first", "second"}};
}

inline Inspection SampleInspection() {
  Inspection inspection{.device = "/dev/vdb",
                        .size_bytes = uint64_t{1} << 40,
                        .content = Content::kLuks2,
                        .mapped_as = "volcrypt-vol-1",
                        .detail = "LUKS2 at 0"};
  inspection.signatures = {{.type = "crypto_LUKS", .offset_bytes = 0, .uuid = "u", .label = "l"},
                           {.type = "gpt", .offset_bytes = uint64_t{1} << 39, .uuid = "v", .label = ""}};
  inspection.luks = LuksHeader{.uuid = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff",
                               .encryption = SampleEncryption(),
                               .keyslots = {{.index = 2,
                                             .pbkdf = "argon2id",
                                             .iterations = 4,
                                             .memory_kib = 1048576,
                                             .parallelism = 4,
                                             .cipher = "aes-xts-plain64"}},
                               .volume_id = "vol-0",
                               .key = {.key_manager = "local", .key_id = "key-1"},
                               .label = "volcrypt",
                               .data_offset_bytes = 2 << 20};
  return inspection;
}

inline auto Fields(const Encryption& e) {
  return std::make_tuple(e.format, e.cipher, e.key_size_bits, e.sector_size_bytes);
}
inline auto Fields(const KeyReference& k) { return std::make_tuple(k.key_manager, k.key_id); }
inline auto Fields(const AttachRequest& r) {
  return std::make_tuple(r.volume_id, r.device, Fields(r.key), Fields(r.encryption), r.read_only, r.allow_discards,
                         r.may_format, r.format_as_uuid, r.allowed_ciphers, r.leave_unmapped, r.attached_as_uuid,
                         r.decrypted_by_qemu, r.check_key);
}
inline auto Fields(const Mapping& m) {
  return std::make_tuple(m.volume_id, m.state, m.state_reason, m.device, m.device_identity, m.device_path, m.size_bytes,
                         m.luks_uuid, Fields(m.encryption), m.read_only, m.open_count, m.header_volume_id,
                         m.key.has_value(), Fields(m.key.value_or(KeyReference{})), m.formatted_at);
}
inline auto Fields(const AttachResult& r) {
  return std::make_tuple(r.outcome, Fields(r.mapping), r.resume_uuid, r.warnings);
}
inline auto Fields(const DetachRequest& r) { return std::make_tuple(r.volume_id, r.device, r.deferred); }
inline auto Fields(const DetachResult& r) {
  return std::make_tuple(r.was_attached, r.pending, r.volume_id, r.device, r.device_identity, r.luks_uuid);
}
inline auto Fields(const ExtendRequest& r) { return std::make_tuple(r.volume_id, r.allowed_ciphers); }
inline auto Fields(const ExtendResult& r) { return std::make_tuple(Fields(r.mapping), r.previous_size_bytes); }
inline auto Fields(const Signature& s) { return std::make_tuple(s.type, s.offset_bytes, s.uuid, s.label); }
inline auto Fields(const Keyslot& k) {
  return std::make_tuple(k.index, k.pbkdf, k.iterations, k.memory_kib, k.parallelism, k.cipher);
}
template <typename Item>
auto Fields(const std::vector<Item>& items) {
  std::vector<decltype(Fields(std::declval<const Item&>()))> all;
  for (const Item& item : items) all.push_back(Fields(item));
  return all;
}
inline auto Fields(const LuksHeader& l) {
  return std::make_tuple(l.uuid, Fields(l.encryption), Fields(l.keyslots), l.volume_id, Fields(l.key), l.label,
                         l.data_offset_bytes);
}
inline auto Fields(const Inspection& i) {
  return std::make_tuple(i.device, i.size_bytes, i.content, Fields(i.signatures), i.luks.has_value(),
                         Fields(i.luks.value_or(LuksHeader{})), i.mapped_as, i.detail);
}

}  // namespace volcrypt
