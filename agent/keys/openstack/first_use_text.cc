#include "agent/keys/openstack/first_use_text.h"

#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "encryptors/reason.h"
#include "encryptors/volume_id.h"

namespace volcrypt {
namespace {

constexpr absl::string_view kPrefix = "volcrypt-";
constexpr absl::string_view kHashPrefix = "volcrypt-sha256-";
constexpr absl::string_view kClaimed = "claimed";
constexpr absl::string_view kFormatted = "formatted";
constexpr size_t kMaxValueBytes = 255;

std::string Sha256Of(const std::string& text) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest;
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  return absl::BytesToHexString({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

bool IsWord(absl::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c > ' ' && c <= '~'; });
}

std::string NameFor(const std::string& volume_id) {
  const std::string lower = absl::AsciiStrToLower(volume_id);
  return absl::StrContains(lower, '.') ? absl::StrCat(kHashPrefix, Sha256Of(lower)) : absl::StrCat(kPrefix, lower);
}

}  // namespace

absl::StatusOr<std::string> FirstUseName(const std::string& volume_id) {
  if (IsValidVolumeId(volume_id)) return NameFor(volume_id);
  return MakeError(Reason::kInvalidVolumeId, "the volume id of a first use is not valid");
}

absl::StatusOr<std::string> FirstUseValue(const FirstUseRecord& record) {
  if (!IsWord(record.host)) {
    return MakeError(Reason::kInvalidField, "the host of a first use is no host's name", {{"field", "host"}});
  }
  if (!IsWord(record.luks_uuid)) {
    return MakeError(Reason::kInvalidField, "the LUKS UUID of a first use is none", {{"field", "luks_uuid"}});
  }
  std::string value = absl::StrCat("state=", record.state == FirstUseRecord::State::kClaimed ? kClaimed : kFormatted,
                                   " host=", record.host, " luks=", record.luks_uuid, " volume=", record.volume_id);
  if (value.size() <= kMaxValueBytes) return value;
  return MakeError(Reason::kInvalidField, "host and LUKS UUID of a first use are too long for Barbican",
                   {{"field", "host"}});
}

FirstUseRecord ParseFirstUse(absl::string_view name, absl::string_view value) {
  std::map<std::string, std::string> words;
  for (const absl::string_view word : absl::StrSplit(value, ' ', absl::SkipEmpty())) {
    words.insert(absl::StrSplit(word, absl::MaxSplits('=', 1)));
  }
  FirstUseRecord record = {
      .volume_id = words["volume"],
      .state = words["state"] == kClaimed ? FirstUseRecord::State::kClaimed : FirstUseRecord::State::kFormatted,
      .host = words["host"],
      .luks_uuid = words["luks"]};
  if (!IsValidVolumeId(record.volume_id) || NameFor(record.volume_id) != name) record.volume_id.clear();
  if (!IsWord(record.host) || !IsWord(record.luks_uuid)) {
    record.state = FirstUseRecord::State::kFormatted;
    record.host = record.luks_uuid = "unknown";
  }
  return record;
}

std::vector<FirstUseRecord> FirstUsesIn(const std::map<std::string, std::string>& metadata) {
  std::vector<FirstUseRecord> records;
  for (const auto& [name, value] : metadata) {
    if (!absl::StartsWith(name, kPrefix)) continue;
    FirstUseRecord record = ParseFirstUse(name, value);
    if (record.volume_id.empty()) record.volume_id = std::string(absl::StripPrefix(name, kPrefix));
    records.push_back(std::move(record));
  }
  return records;
}

}  // namespace volcrypt
