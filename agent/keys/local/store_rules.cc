#include "agent/keys/local/store_rules.h"

#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "encryptors/reason.h"
#include "encryptors/volume_id.h"

namespace volcrypt {
namespace {

constexpr std::string_view kAes = "aes";
constexpr int64_t kRandomBits = 128;
constexpr std::array<int64_t, 4> kBitLengths = {128, 192, 256, 512};
constexpr size_t kMaxNameBytes = 255;
constexpr size_t kMaxAlgorithmBytes = 64;
constexpr size_t kMaxHostBytes = 255;
constexpr size_t kMaxLuksUuidBytes = 40;  // of the header's field
constexpr size_t kVolumesNamed = 5;

struct TypeRow {
  KeyType type;
  std::string_view name;
};

constexpr std::array<TypeRow, 3> kTypes = {
    {{KeyType::kSymmetric, "symmetric"}, {KeyType::kPassphrase, "passphrase"}, {KeyType::kOpaque, "opaque"}}};

bool IsBitLength(int64_t bits) { return std::ranges::find(kBitLengths, bits) != kBitLengths.end(); }

absl::Status InvalidField(const std::string& field, const std::string& message) {
  return MakeError(Reason::kInvalidField, message, {{"field", field}});
}

absl::Status CheckName(const std::string& name) {
  if (name.size() <= kMaxNameBytes) return absl::OkStatus();
  return InvalidField("name", absl::StrCat("the key's name is longer than ", kMaxNameBytes, " bytes"));
}

}  // namespace

std::string KeyTypeWord(KeyType type) { return std::string(std::ranges::find(kTypes, type, &TypeRow::type)->name); }

std::optional<KeyType> ParseKeyTypeWord(std::string_view word) {
  const auto* const row = std::ranges::find(kTypes, word, &TypeRow::name);
  return row == kTypes.end() ? std::nullopt : std::optional(row->type);
}

bool CountsAsRandom(KeyType type, int64_t bit_length) {
  return type == KeyType::kSymmetric && bit_length >= kRandomBits;
}

absl::Status CheckNewKey(const NewKey& key) {
  if (key.algorithm != kAes) return InvalidField("algorithm", "the local key store makes keys for aes only");
  if (!IsBitLength(key.bit_length)) {
    return InvalidField("bit_length", absl::StrCat("a key cannot have ", key.bit_length, " bits, only ",
                                                   absl::StrJoin(kBitLengths, ", ")));
  }
  return CheckName(key.name);
}

absl::Status CheckCopy(const Key& key, const KeyCopy& copy) {
  if (key.bytes.IsEmpty()) return MakeError(Reason::kKeyUnfit, "an empty key is not taken in");
  if (copy.algorithm.size() > kMaxAlgorithmBytes) return InvalidField("algorithm", "the algorithm's name is too long");
  return CheckName(copy.name);
}

absl::Status CheckRecord(const FirstUseRecord& record) {
  if (!IsValidVolumeId(record.volume_id)) {
    return MakeError(Reason::kInvalidVolumeId, "the volume id of a first use is not valid");
  }
  if (record.host.size() > kMaxHostBytes) return InvalidField("host", "the host's name is too long");
  if (record.luks_uuid.size() > kMaxLuksUuidBytes) return InvalidField("luks_uuid", "the LUKS UUID is too long");
  return absl::OkStatus();
}

absl::Status KeyInUse(const std::string& key_id, const std::vector<FirstUseRecord>& records) {
  std::vector<std::string> volumes;
  for (size_t i = 0; i < std::min(records.size(), kVolumesNamed); ++i) volumes.push_back(records[i].volume_id);
  const std::string names = absl::StrJoin(volumes, ", ") + (records.size() > kVolumesNamed ? ", ..." : "");
  return MakeError(Reason::kKeyInUse,
                   absl::StrCat("key ", key_id, " is recorded to have formatted ", records.size(), " volume(s): ",
                                names, "; forget them first, or force the deletion and lose what they hold"),
                   {{"key_id", key_id}, {"volumes", names}});
}

}  // namespace volcrypt
