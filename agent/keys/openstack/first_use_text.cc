#include "agent/keys/openstack/first_use_text.h"

#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "agent/uuid.h"
#include "encryptors/reason.h"
#include "encryptors/volume_id.h"

namespace volcrypt {
namespace {

constexpr absl::string_view kPrefix = "volcrypt-";
constexpr absl::string_view kHashPrefix = "volcrypt-sha256-";
constexpr absl::string_view kClaimMark = "-claim-";
constexpr size_t kUuidDigits = 32;
constexpr absl::string_view kClaimed = "claimed";
constexpr absl::string_view kFormatted = "formatted";
constexpr absl::string_view kVersion = " v=1";
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

std::string DigitsOf(const std::string& uuid) { return absl::StrReplaceAll(uuid, {{"-", ""}}); }

// The name of the volume's record, when this is the name of a claim.
std::optional<absl::string_view> NameBeforeClaim(absl::string_view name) {
  if (name.size() <= kPrefix.size() + kClaimMark.size() + kUuidDigits) return std::nullopt;
  const absl::string_view digits = name.substr(name.size() - kUuidDigits);
  const absl::string_view before = name.substr(0, name.size() - kUuidDigits);
  const bool are_digits =
      std::ranges::all_of(digits, [](unsigned char c) { return absl::ascii_isxdigit(c) && !absl::ascii_isupper(c); });
  if (!are_digits || !absl::EndsWith(before, kClaimMark)) return std::nullopt;
  return before.substr(0, before.size() - kClaimMark.size());
}

// volume_id is empty when the value is not that of a claim with this name.
FirstUseRecord ParseClaim(absl::string_view name, absl::string_view name_before, absl::string_view value) {
  FirstUseRecord record = ParseFirstUse(name_before, value);
  if (!absl::EndsWith(name, DigitsOf(record.luks_uuid)) || record.state != FirstUseRecord::State::kClaimed) {
    record = {.volume_id = "", .state = FirstUseRecord::State::kFormatted, .host = "unknown", .luks_uuid = "unknown"};
  }
  return record;
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
  std::string value =
      absl::StrCat("state=", record.state == FirstUseRecord::State::kClaimed ? kClaimed : kFormatted,
                   " host=", record.host, " luks=", record.luks_uuid, " volume=", record.volume_id, kVersion);
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

absl::StatusOr<std::string> ClaimName(const FirstUseRecord& claim) {
  absl::StatusOr<std::string> name = FirstUseName(claim.volume_id);
  if (!name.ok()) return name;
  if (IsCanonicalUuid(claim.luks_uuid)) return absl::StrCat(*name, kClaimMark, DigitsOf(claim.luks_uuid));
  return MakeError(Reason::kInvalidField, "the LUKS UUID of a first use is none", {{"field", "luks_uuid"}});
}

FirstUseRows FirstUseRowsOf(const std::string& volume_id, const std::map<std::string, std::string>& metadata) {
  FirstUseRows rows;
  const std::string main_name = NameFor(volume_id);
  for (const auto& [name, value] : metadata) {
    const std::optional<absl::string_view> before = NameBeforeClaim(name);
    const bool is_main = name == main_name;
    if (!is_main && before != main_name) continue;
    FirstUseRecord record = is_main ? ParseFirstUse(name, value) : ParseClaim(name, *before, value);
    // The record of a volume whose id looks like a claim.
    if (!is_main && record.volume_id.empty() && !ParseFirstUse(name, value).volume_id.empty()) continue;
    const bool is_damaged = record.volume_id.empty();
    if (is_damaged) record.volume_id = volume_id;
    if (record.volume_id != volume_id) {
      rows.other_volume_id = record.volume_id;
    } else if (is_main) {
      rows.main = std::move(record);
    } else {
      rows.claims.push_back({.name = name, .record = std::move(record), .is_damaged = is_damaged});
    }
  }
  return rows;
}

std::vector<FirstUseRecord> FirstUsesIn(const std::map<std::string, std::string>& metadata) {
  std::map<std::string, FirstUseRecord> records;  // by the name of the volume's record
  std::map<std::string, FirstUseRecord> claims;
  for (const auto& [name, value] : metadata) {
    if (!absl::StartsWith(name, kPrefix)) continue;
    const std::optional<absl::string_view> before = NameBeforeClaim(name);
    FirstUseRecord record = ParseFirstUse(name, value);
    const bool is_claim = before.has_value() && record.volume_id.empty();
    if (is_claim) record = ParseClaim(name, *before, value);
    std::string main_name(is_claim ? *before : absl::string_view(name));
    if (record.volume_id.empty()) record.volume_id = std::string(absl::StripPrefix(main_name, kPrefix));
    (is_claim ? claims : records).try_emplace(std::move(main_name), std::move(record));
  }
  records.merge(claims);
  std::vector<FirstUseRecord> all;
  all.reserve(records.size());
  for (auto& [name, record] : records) all.push_back(std::move(record));
  return all;
}

}  // namespace volcrypt
