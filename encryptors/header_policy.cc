#include "encryptors/header_policy.h"

#include <algorithm>
#include <array>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "encryptors/json_object.h"
#include "encryptors/luks_header.h"
#include "encryptors/reason.h"

namespace volcrypt {
namespace {

constexpr std::array<absl::string_view, 3> kKnownCiphers = {"aes-xts-plain64", "aes-cbc-essiv:sha256", "aes-xts-plain"};

// Bounds on what a foreign keyslot may cost. cryptsetup's own largest choice is 1 GiB and 4 threads; with a memory cap
// it makes up in passes (32 MiB: 61 passes seen). PBKDF2: 3 million iterations are 2 s here.
constexpr uint32_t kMaxArgon2MemoryKib = 2U << 20;
constexpr uint64_t kMaxArgon2WorkKib = uint64_t{32} << 20;  // passes times memory
constexpr uint32_t kMaxArgon2Threads = 4;
constexpr uint32_t kMaxPbkdf2Iterations = 50'000'000;

constexpr uint32_t kLuks2BinaryHeaderBytes = 4096;

absl::Status Refuse(absl::string_view what) {
  return MakeError(Reason::kHeaderRefused,
                   absl::StrCat("the LUKS header must not be trusted: ", what, "; nothing was activated"),
                   {{"demand", std::string(what)}});
}

bool IsAllowedKeySize(absl::string_view cipher, uint32_t bits) {
  if (absl::StrContains(cipher, "-xts-")) return bits == 256 || bits == 512;
  return bits == 128 || bits == 256;
}

std::string ToText(const Encryption& encryption) {
  return absl::StrCat(encryption.cipher, ", ", encryption.key_size_bits, " bits, sectors of ",
                      encryption.sector_size_bytes);
}

absl::Status CheckKeyslot(const Keyslot& keyslot) {
  const std::string name = absl::StrCat("keyslot ", keyslot.index);
  if (keyslot.cipher.empty() || absl::StrContains(keyslot.cipher, "null")) {
    return Refuse(absl::StrCat(name, " stores the volume key in clear (", keyslot.cipher, ")"));
  }
  if (keyslot.pbkdf == CRYPT_KDF_PBKDF2) {
    if (keyslot.iterations > kMaxPbkdf2Iterations) {
      return Refuse(absl::StrCat(name, " asks for ", keyslot.iterations, " PBKDF2 iterations"));
    }
    return absl::OkStatus();
  }
  if (keyslot.pbkdf != CRYPT_KDF_ARGON2I && keyslot.pbkdf != CRYPT_KDF_ARGON2ID) {
    return Refuse(absl::StrCat(name, " uses the unknown key derivation \"", keyslot.pbkdf, "\""));
  }
  const uint64_t work = uint64_t{keyslot.iterations} * keyslot.memory_kib;
  if (keyslot.memory_kib > kMaxArgon2MemoryKib || work > kMaxArgon2WorkKib || keyslot.parallelism > kMaxArgon2Threads) {
    return Refuse(absl::StrCat(name, " asks for Argon2 with ", keyslot.memory_kib, " KiB, ", keyslot.iterations,
                               " passes and ", keyslot.parallelism, " threads"));
  }
  return absl::OkStatus();
}

absl::Status CheckDigests(json_object* root) {
  json_object* digests = JsonMember(root, "digests");
  if (digests == nullptr) return Refuse("it has no digest");
  json_object_object_foreach(digests, name, digest) {
    if (JsonNumber(digest, "iterations").value_or(UINT64_MAX) > kMaxPbkdf2Iterations) {
      return Refuse(absl::StrCat("digest ", name, " asks for too many iterations"));
    }
  }
  return absl::OkStatus();
}

// LUKS2: exactly one segment, encrypted, behind the header's own areas, and as large as the device.
absl::Status CheckSegments(json_object* root) {
  json_object* segments = JsonMember(root, "segments");
  if (segments == nullptr || json_object_object_length(segments) != 1) {
    return Refuse("it does not describe exactly one segment");
  }
  json_object* segment = JsonMember(segments, "0");
  if (segment == nullptr || JsonText(segment, "type") != "crypt") return Refuse("its segment is not encrypted");
  if (JsonText(segment, "size") != "dynamic") return Refuse("its segment does not cover the device");
  if (JsonNumber(segment, "iv_tweak").value_or(1) != 0) return Refuse("its segment shifts the initialisation vectors");
  if (JsonMember(segment, "integrity") != nullptr) return Refuse("its segment asks for dm-integrity");
  if (JsonMember(segment, "flags") != nullptr) return Refuse("its segment has flags");
  json_object* config = JsonMember(root, "config");
  const std::optional<uint64_t> json_bytes = JsonNumber(config, "json_size");
  const std::optional<uint64_t> keyslots_bytes = JsonNumber(config, "keyslots_size");
  const std::optional<uint64_t> offset = JsonNumber(segment, "offset");
  if (!json_bytes || !keyslots_bytes || !offset) return Refuse("its areas have no sizes");
  const uint64_t header_end = (2 * (*json_bytes + kLuks2BinaryHeaderBytes)) + *keyslots_bytes;
  if (*offset < header_end) {
    return Refuse(absl::StrCat("its data begins at byte ", *offset, ", inside the header's ", header_end, " bytes"));
  }
  return absl::OkStatus();
}

absl::Status CheckLuks2(crypt_device* device) {
  uint32_t requirements = 0;
  if (crypt_persistent_flags_get(device, CRYPT_FLAGS_REQUIREMENTS, &requirements) != 0 || requirements != 0) {
    return Refuse(
        absl::StrCat("it has requirements (", absl::Hex(requirements), "), such as a reencryption under way"));
  }
  const char* text = nullptr;
  if (crypt_dump_json(device, &text, 0) != 0 || text == nullptr) return Refuse("its metadata cannot be read");
  const JsonObject root = ParseJson(text);
  if (!root) return Refuse("its metadata is not an object");
  if (absl::Status status = CheckSegments(root.get()); !status.ok()) return status;
  return CheckDigests(root.get());
}

// LUKS1 has its areas' places in the header too: none may reach into the data.
absl::Status CheckLuks1(crypt_device* device, const LuksHeader& header) {
  for (const Keyslot& keyslot : header.keyslots) {
    uint64_t offset = 0;
    uint64_t length = 0;
    if (crypt_keyslot_area(device, static_cast<int>(keyslot.index), &offset, &length) != 0 ||
        offset + length > header.data_offset_bytes) {
      return Refuse(absl::StrCat("keyslot ", keyslot.index, " lies in the data"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

bool IsAllowedEncryption(const Encryption& encryption, const std::vector<std::string>& allowed_ciphers) {
  const auto is = [&](absl::string_view cipher) { return cipher == encryption.cipher; };
  return std::ranges::any_of(kKnownCiphers, is) && std::ranges::any_of(allowed_ciphers, is) &&
         IsAllowedKeySize(encryption.cipher, encryption.key_size_bits);
}

absl::Status CheckHeader(crypt_device* device, const HeaderPolicy& policy) {
  const LuksHeader header = ReadLuksHeader(device);
  const Encryption& encryption = header.encryption;
  // The layout first: what is said of cipher and keyslots means little where it is not what we know.
  absl::Status layout = encryption.format == Format::kLuks2 ? CheckLuks2(device) : CheckLuks1(device, header);
  if (!layout.ok()) return layout;
  if (!IsAllowedEncryption(encryption, policy.allowed_ciphers)) {
    return Refuse(absl::StrCat("cipher ", encryption.cipher, " with a volume key of ", encryption.key_size_bits,
                               " bits is not allowed (volumes.allowed_ciphers)"));
  }
  if (policy.data_offset_bytes && header.data_offset_bytes != *policy.data_offset_bytes) {
    return Refuse(absl::StrCat("its data begins at byte ", header.data_offset_bytes, ", but this host put it at ",
                               *policy.data_offset_bytes));
  }
  const Encryption& known = policy.known_encryption;
  if (!known.cipher.empty() && (encryption.cipher != known.cipher || encryption.key_size_bits != known.key_size_bits ||
                                encryption.sector_size_bytes != known.sector_size_bytes)) {
    return Refuse(absl::StrCat("it says ", ToText(encryption), ", but this host has seen the volume with ",
                               ToText(known), "; forget the volume if its owner has changed that"));
  }
  uint64_t argon2_work = 0;
  uint64_t iterations = 0;
  for (const Keyslot& keyslot : header.keyslots) {
    if (absl::Status status = CheckKeyslot(keyslot); !status.ok()) return status;
    argon2_work += uint64_t{keyslot.iterations} * keyslot.memory_kib;
    iterations += keyslot.pbkdf == CRYPT_KDF_PBKDF2 ? keyslot.iterations : 0;
  }
  // A key that opens none of them is tried with each.
  if (argon2_work > kMaxArgon2WorkKib * 2 || iterations > uint64_t{kMaxPbkdf2Iterations} * 2) {
    return Refuse(absl::StrCat("its ", header.keyslots.size(), " keyslots together ask for too much work"));
  }
  return absl::OkStatus();
}

absl::Status CheckLuks1Sector(std::span<const uint8_t> sector) {
  constexpr size_t kDigestIterations = 164;
  if (sector.size() < kDigestIterations + 4) return Refuse("its first sector is cut");
  uint32_t iterations = 0;
  for (size_t i = 0; i < 4; ++i) iterations = (iterations << 8) | sector[kDigestIterations + i];
  if (iterations > kMaxPbkdf2Iterations) return Refuse("its digest asks for too many iterations");
  return absl::OkStatus();
}

}  // namespace volcrypt
