#include "encryptors/volume_content.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <span>

#include "absl/strings/str_cat.h"
#include "encryptors/content_probe.h"
#include "encryptors/luks.h"
#include "encryptors/luks_header.h"

namespace volcrypt {
namespace {

constexpr size_t kSectorRead = 4096;

// LUKS1 and LUKS2 on-disk formats: magic at byte 0 and, in LUKS2's second header, at one of these places; the UUID is
// text at byte 168 of a header.
constexpr std::array<uint8_t, 6> kMagic = {'L', 'U', 'K', 'S', 0xba, 0xbe};
constexpr std::array<uint8_t, 6> kSecondMagic = {'S', 'K', 'U', 'L', 0xba, 0xbe};
constexpr std::array<uint64_t, 9> kSecondHeaderOffsets = {0x4000,  0x8000,   0x10000,  0x20000, 0x40000,
                                                          0x80000, 0x100000, 0x200000, 0x400000};
constexpr size_t kUuidOffset = 168;
constexpr size_t kUuidField = 40;

// Where LUKS2's two headers stand in our layout; an interrupted LUKS2 format without magic has only zeros here.
constexpr uint64_t kOurHeaderBytes = 2 * kLuks2MetadataBytes;

constexpr uint64_t kGlanceBytes = uint64_t{1} << 20;

bool BeginsWith(std::span<const uint8_t> bytes, std::span<const uint8_t> magic) {
  return bytes.size() >= magic.size() && std::equal(magic.begin(), magic.end(), bytes.begin());
}

struct RawHeaders {
  bool first_magic = false;
  bool second_magic = false;
  std::string uuid;  // beside the first magic
};

absl::StatusOr<RawHeaders> ReadRawHeaders(const BackingDevice& device, int direct) {
  RawHeaders raw;
  if (device.SizeBytes() < kSectorRead) return raw;
  const absl::StatusOr<std::vector<uint8_t>> first = ReadDirect(device, direct, 0, kSectorRead);
  if (!first.ok()) return first.status();
  raw.first_magic = BeginsWith(*first, kMagic);
  if (raw.first_magic) {
    const char* uuid = reinterpret_cast<const char*>(first->data()) + kUuidOffset;
    raw.uuid.assign(uuid, strnlen(uuid, kUuidField));
  }
  for (const uint64_t offset : kSecondHeaderOffsets) {
    if (offset + kSectorRead > device.SizeBytes()) break;
    const absl::StatusOr<std::vector<uint8_t>> second = ReadDirect(device, direct, offset, kSectorRead);
    if (!second.ok()) return second.status();
    raw.second_magic = raw.second_magic || BeginsWith(*second, kSecondMagic);
  }
  return raw;
}

absl::StatusOr<std::optional<uint64_t>> GlanceForData(const BackingDevice& device, int direct) {
  const uint64_t size = device.SizeBytes();
  if (size <= 2 * kGlanceBytes) return FindDataIn(device, direct, {0, size});
  absl::StatusOr<std::optional<uint64_t>> data = FindDataIn(device, direct, {0, kGlanceBytes});
  if (!data.ok() || data->has_value()) return data;
  return FindDataIn(device, direct, {(size - kGlanceBytes) / kGlanceBytes * kGlanceBytes, size});
}

bool IsForeign(const Signature& signature) { return signature.type != "crypto_LUKS"; }

void DescribeLoaded(VolumeContent& found) {
  const LuksHeader& header = *found.header;
  const bool luks2 = header.encryption.format == Format::kLuks2;
  const std::string name = absl::StrCat("a LUKS", luks2 ? "2" : "1", " header, UUID ", header.uuid);
  if (!header.keyslots.empty()) {
    found.content = luks2 ? Content::kLuks2 : Content::kLuks1;
    found.detail = name;
  } else if (!header.volume_id.empty()) {
    found.content = Content::kErased;
    found.detail = absl::StrCat(name, ", whose keyslots have been erased");
  } else {
    found.content = Content::kIncompleteFormat;
    found.detail = absl::StrCat(name, ", without any keyslot");
  }
}

}  // namespace

absl::StatusOr<VolumeContent> ExamineContent(const BackingDevice& device, int direct, Look look) {
  VolumeContent found;
  absl::StatusOr<CryptDevice> crypt = CryptDevice();
  if (device.SizeBytes() >= kSectorRead) crypt = LoadLuks(device);  // less has no room for a header
  if (!crypt.ok()) return crypt.status();
  if (*crypt) {
    found.header = ReadLuksHeader(crypt->get());
    found.crypt = *std::move(crypt);
    DescribeLoaded(found);
    return found;
  }
  const absl::StatusOr<RawHeaders> raw = ReadRawHeaders(device, direct);
  if (!raw.ok()) return raw.status();
  absl::StatusOr<std::vector<Signature>> signatures = ReadSignatures(device);
  if (!signatures.ok()) return signatures.status();
  found.signatures = *std::move(signatures);
  const absl::StatusOr<std::optional<uint64_t>> data =
      look == Look::kGlance ? GlanceForData(device, direct) : FindData(device, direct, 0);
  if (!data.ok()) return data.status();

  const bool says_luks = std::any_of(found.signatures.begin(), found.signatures.end(), std::not_fn(IsForeign));
  if (raw->first_magic || raw->second_magic || says_luks) {
    found.content = Content::kDamagedHeader;
    found.detail = absl::StrCat("the magic of a LUKS header (", raw->first_magic ? "first" : "second",
                                " copy) whose contents cannot be loaded");
  } else if (!found.signatures.empty()) {
    found.content = Content::kForeign;
    found.detail = DescribeSignatures(found.signatures);
  } else if (data->has_value()) {
    found.content = Content::kForeign;
    found.detail = absl::StrCat("data of an unknown kind at byte ", **data);
  } else {
    found.content = Content::kBlank;
    found.detail = "zeros wherever it was read";
  }
  return found;
}

absl::StatusOr<bool> IsInterruptedFormat(const BackingDevice& device, int direct, const VolumeContent& content,
                                         const VolumeRecord& intent) {
  if (content.content == Content::kBlank) return true;
  // The token comes after the keyslot: what has one and no keyslot was finished, and erased since.
  if (content.content == Content::kErased) return false;
  // An intent says nothing about another device that a wrong path leads to.
  const absl::StatusOr<std::string> identity = device.ReadLastingIdentity();
  if (!identity.ok()) return identity.status();
  if (intent.device != *identity) return false;
  if (content.header && (!content.header->keyslots.empty() || content.header->uuid != intent.luks_uuid)) return false;
  absl::StatusOr<std::vector<Signature>> signatures = ReadSignatures(device);
  if (!signatures.ok()) return signatures.status();
  if (std::any_of(signatures->begin(), signatures->end(), IsForeign)) return false;

  const absl::StatusOr<RawHeaders> raw = ReadRawHeaders(device, direct);
  if (!raw.ok()) return raw.status();
  if (raw->first_magic && raw->uuid != intent.luks_uuid) return false;
  if (!raw->first_magic) {
    // The second header is written after the first: alone it is no state of a format of ours.
    if (raw->second_magic || !signatures->empty()) return false;
    // LUKS1's wipe is random data; LUKS2's is zeros here until its magic arrives.
    if (intent.format != Format::kLuks1) {
      const absl::StatusOr<std::optional<uint64_t>> data = FindDataIn(device, direct, {0, kOurHeaderBytes});
      if (!data.ok()) return data.status();
      if (data->has_value()) return false;
    }
  }
  const absl::StatusOr<std::optional<uint64_t>> data = FindData(device, direct, intent.data_offset_bytes.value_or(0));
  if (!data.ok()) return data.status();
  return !data->has_value();
}

}  // namespace volcrypt
