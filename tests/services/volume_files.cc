#include "tests/services/volume_files.h"

#include <openssl/sha.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <span>
#include <sstream>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "encryptors/reason.h"

namespace volcrypt {
namespace {

constexpr uint64_t kSizeBytes = uint64_t{64} << 20;

struct Header {
  std::string luks_uuid;
  std::string digest;
};

std::optional<Header> ReadHeader(const std::string& device) {
  std::ifstream file(device);
  Header header;
  if (!(file >> header.luks_uuid >> header.digest)) return std::nullopt;
  return header;
}

// Of what LUKS would take as the passphrase.
absl::StatusOr<std::string> DigestOf(const Key& key) {
  absl::StatusOr<SecretBytes> hex;
  std::span<const uint8_t> passphrase = key.bytes.Bytes();
  if (key.type != KeyType::kPassphrase) {
    hex = HexOf(key.bytes);
    if (!hex.ok()) return hex.status();
    passphrase = std::as_const(*hex).Bytes();
  }
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256(passphrase.data(), passphrase.size(), digest.data());
  return absl::BytesToHexString({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

const char* NameOf(KeyType type) {
  switch (type) {
    case KeyType::kSymmetric:
      return "symmetric";
    case KeyType::kPassphrase:
      return "passphrase";
    case KeyType::kOpaque:
      return "opaque";
  }
  return "unknown";
}

// What QEMU decrypts is known from the header alone.
Mapping UnmappedOf(const AttachRequest& request, const std::string& luks_uuid) {
  Mapping unmapped;
  unmapped.volume_id = request.volume_id;
  unmapped.device = request.device;
  unmapped.size_bytes = kSizeBytes;
  unmapped.luks_uuid = luks_uuid;
  unmapped.key = request.key;
  unmapped.encryption = {.format = volcrypt::Format::kLuks1, .cipher = "aes-xts-plain64", .key_size_bits = 512};
  return unmapped;
}

Mapping MappingOf(const std::string& volume_id, const std::string& device) {
  Mapping mapping;
  mapping.volume_id = volume_id;
  mapping.device = device;
  mapping.device_path = absl::StrCat("/dev/mapper/volcrypt-", volume_id);
  mapping.size_bytes = kSizeBytes;
  mapping.luks_uuid = ReadHeader(device).value_or(Header{}).luks_uuid;
  mapping.encryption = {
      .format = volcrypt::Format::kLuks2, .cipher = "aes-xts-plain64", .key_size_bits = 512, .sector_size_bytes = 4096};
  return mapping;
}

absl::Status NotAttached(const std::string& volume_id) {
  return MakeError(Reason::kNotAttached, absl::StrCat("volume ", volume_id, " is not attached"));
}

}  // namespace

std::optional<std::string> VolumeFiles::DeviceOf(const std::string& volume_id) const {
  std::ifstream file(RecordOf(volume_id));
  std::string device;
  if (!std::getline(file, device)) return std::nullopt;
  return device;
}

absl::StatusOr<AttachResult> VolumeFiles::Attach(const AttachRequest& request, const Key* key, absl::Time deadline) {
  if (const std::optional<std::string> device = DeviceOf(request.volume_id)) {
    if (*device != request.device) return MakeError(Reason::kAttachedDifferently, "attached over another device");
    return AttachResult{.outcome = AttachOutcome::kAlreadyAttached, .mapping = MappingOf(request.volume_id, *device)};
  }
  if (!std::filesystem::exists(request.device)) return MakeError(Reason::kDeviceNotFound, "there is no such file");
  const std::optional<Header> header = ReadHeader(request.device);
  if (!header && !request.may_format) return MakeError(Reason::kVolumeNotFormatted, "first use is refused");
  if (!header && request.format_as_uuid.empty()) return AttachResult{.outcome = AttachOutcome::kBlank};
  if (header && request.leave_unmapped && request.attached_as_uuid == header->luks_uuid) {
    return AttachResult{.outcome = AttachOutcome::kAlreadyAttached, .mapping = UnmappedOf(request, header->luks_uuid)};
  }
  if (key == nullptr) return AttachResult{.outcome = AttachOutcome::kKeyNeeded};
  if (!request.format_as_uuid.empty()) return Format(request, *key, deadline);
  const absl::StatusOr<std::string> digest = DigestOf(*key);
  if (!digest.ok()) return digest.status();
  if (*digest != header->digest) return MakeError(Reason::kKeyRejected, "the key does not open the volume");
  return Map(AttachOutcome::kOpened, request, header->luks_uuid);
}

absl::StatusOr<AttachResult> VolumeFiles::Format(const AttachRequest& request, const Key& key,
                                                 absl::Time deadline) const {
  const absl::StatusOr<std::string> digest = DigestOf(key);
  if (!digest.ok()) return digest.status();
  while (std::filesystem::exists(request.device + ".hold") && absl::Now() < deadline) {
    std::ofstream(request.device + ".waiting").flush();
    absl::SleepFor(absl::Milliseconds(5));
  }
  std::ofstream file(request.device, std::ios::app);
  file << absl::StrCat(request.format_as_uuid, " ", *digest, " ", NameOf(key.type), " ",
                       key.high_entropy ? "fast" : "slow", " ", key.bytes.Size(), "\n");
  if (!file.flush()) return MakeError(Reason::kDeviceIoError, "the file cannot be written");
  return Map(AttachOutcome::kFormatted, request, request.format_as_uuid);
}

absl::StatusOr<AttachResult> VolumeFiles::Map(AttachOutcome outcome, const AttachRequest& request,
                                              const std::string& luks_uuid) const {
  if (request.leave_unmapped) return AttachResult{.outcome = outcome, .mapping = UnmappedOf(request, luks_uuid)};
  std::ofstream record(RecordOf(request.volume_id));
  record << request.device << "\n";
  if (!record.flush()) return MakeError(Reason::kStateNotWritable, "the attachment cannot be recorded");
  AttachResult result{.outcome = outcome, .mapping = MappingOf(request.volume_id, request.device)};
  result.mapping.luks_uuid = luks_uuid;
  result.mapping.read_only = request.read_only;
  result.mapping.key = request.key;
  return result;
}

absl::StatusOr<DetachResult> VolumeFiles::Detach(const DetachRequest& request, absl::Time) {
  return DetachResult{.was_attached = unlink(RecordOf(request.volume_id).c_str()) == 0, .volume_id = request.volume_id};
}

absl::StatusOr<ExtendResult> VolumeFiles::Extend(const ExtendRequest& request, const Key* key, absl::Time) {
  const std::optional<std::string> device = DeviceOf(request.volume_id);
  if (!device) return NotAttached(request.volume_id);
  if (key == nullptr) return MakeError(Reason::kKeyRequired, "LUKS2 needs the key");
  return ExtendResult{.mapping = MappingOf(request.volume_id, *device), .previous_size_bytes = kSizeBytes};
}

absl::StatusOr<Inspection> VolumeFiles::Inspect(const std::string& device, absl::Time) {
  if (!std::filesystem::exists(device)) return MakeError(Reason::kDeviceNotFound, "there is no such file");
  Inspection inspection{.device = device, .size_bytes = kSizeBytes, .content = Content::kBlank};
  if (const std::optional<Header> header = ReadHeader(device)) {
    inspection.content = Content::kLuks2;
    inspection.luks = LuksHeader{.uuid = header->luks_uuid};
  }
  return inspection;
}

absl::StatusOr<Mapping> VolumeFiles::Query(const std::string& volume_id, absl::Time) {
  const std::optional<std::string> device = DeviceOf(volume_id);
  if (!device) return NotAttached(volume_id);
  return MappingOf(volume_id, *device);
}

absl::Status VolumeFiles::Forget(const std::string& volume_id, absl::Time) {
  if (DeviceOf(volume_id)) return MakeError(Reason::kDeviceInUse, "attached");
  return absl::OkStatus();
}

}  // namespace volcrypt
