#include "agent/keys/openstack/barbican_secret.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/keys/openstack/barbican_first_use.h"
#include "agent/keys/openstack/http_status.h"
#include "agent/keys/openstack/remote_error.h"
#include "encryptors/reason.h"

namespace volcrypt {
namespace {

// Barbican's own limit for a payload.
constexpr size_t kMaxPayloadBytes = 20000;
constexpr char kBinary[] = "application/octet-stream";
constexpr char kActive[] = "ACTIVE";
constexpr size_t kMinEntropyBytes = 16;
constexpr size_t kShown = 5;

struct TypeRow {
  const char* name;
  KeyType type;
};
constexpr std::array<TypeRow, 3> kTypes = {
    {{"symmetric", KeyType::kSymmetric}, {"passphrase", KeyType::kPassphrase}, {"opaque", KeyType::kOpaque}}};

absl::Status Unfit(const std::string& key_id, const std::string& problem) {
  return MakeError(Reason::kKeyUnfit, absl::StrCat("key ", key_id, " in Barbican ", problem), {{"key_id", key_id}});
}

absl::StatusOr<KeyType> TypeOf(const std::string& key_id, const SecretDescription& secret) {
  const auto* const row = std::ranges::find(kTypes, secret.secret_type, &TypeRow::name);
  if (row != kTypes.end()) return row->type;
  return Unfit(key_id, absl::StrCat("is a secret of type ", PlainLine(secret.secret_type),
                                    ", which opens no volume; the types are symmetric, passphrase, opaque"));
}

absl::StatusOr<SecretDescription> Describe(BarbicanCall& call, const std::string& key_id) {
  const BarbicanRequest request = {.path = SecretPath(key_id), .what = absl::StrCat("read key ", key_id)};
  const absl::StatusOr<HttpAnswer> answer = call.Send(request);
  if (!answer.ok()) return answer.status();
  if (answer->status != http_status::kOk) return call.ErrorOf(request, *answer);
  return ParseSecretDescription(answer->body);
}

absl::StatusOr<SecretBytes> ReadPayload(BarbicanCall& call, const std::string& key_id) {
  const BarbicanRequest request = {.path = absl::StrCat(SecretPath(key_id), "/payload"),
                                   .what = absl::StrCat("read the payload of key ", key_id),
                                   .accept = kBinary,
                                   .max_answer_bytes = kMaxPayloadBytes,
                                   .answer_is_secret = true};
  absl::StatusOr<HttpAnswer> answer = call.Send(request);
  if (!answer.ok()) return answer.status();
  if (answer->status == http_status::kNoContent || (answer->status == http_status::kOk && answer->secret.IsEmpty())) {
    return Unfit(key_id, "has a payload of zero bytes; it was stored wrongly");
  }
  if (answer->status != http_status::kOk) return call.ErrorOf(request, *answer);
  return std::move(answer->secret);
}

absl::Status CheckUsable(const std::string& key_id, const SecretDescription& secret) {
  if (secret.status != kActive) return Unfit(key_id, absl::StrCat("is not active but ", PlainLine(secret.status)));
  if (secret.content_type.empty()) return Unfit(key_id, "has no payload; whoever made it has not stored one yet");
  return absl::OkStatus();
}

// Barbican believes whatever length it is told. Of other types the length is often the client's default and means
// nothing.
absl::Status CheckLength(const std::string& key_id, const SecretDescription& secret, size_t bytes) {
  if (secret.bit_length == 0 || secret.bit_length == bytes * 8) return absl::OkStatus();
  return Unfit(key_id, absl::StrCat("is said to have ", secret.bit_length, " bits, but its payload has ", bytes * 8,
                                    "; it was stored wrongly"));
}

absl::Status KeyInUse(const std::string& key_id, absl::string_view what, const std::vector<std::string>& by,
                      absl::string_view remedy) {
  const std::vector<std::string> shown(by.begin(), by.begin() + static_cast<ptrdiff_t>(std::min(by.size(), kShown)));
  const std::string names = absl::StrJoin(shown, ", ") + (by.size() > kShown ? ", ..." : "");
  return MakeError(Reason::kKeyInUse, absl::StrCat("key ", key_id, " in Barbican ", what, names, "; ", remedy),
                   {{"key_id", key_id}, {"used_by", names}});
}

absl::Status CheckUnused(BarbicanCall& call, const std::string& key_id) {
  const absl::StatusOr<std::vector<FirstUseRecord>> records = ReadFirstUses(call, key_id);
  if (!records.ok()) return records.status();
  std::vector<std::string> volumes;
  for (const FirstUseRecord& record : *records) volumes.push_back(record.volume_id);
  if (!volumes.empty())
    return KeyInUse(key_id, "is recorded to have formatted volume(s) ", volumes,
                    "forget them first, or force the deletion and lose what they hold");

  const BarbicanRequest request = {.path = absl::StrCat(SecretPath(key_id), "/consumers?limit=10"),
                                   .what = absl::StrCat("read the consumers of key ", key_id)};
  const absl::StatusOr<HttpAnswer> answer = call.Send(request);
  if (!answer.ok()) return answer.status();
  // Barbican before 2023.1 knows no consumers.
  if (answer->status != http_status::kOk) return absl::OkStatus();
  const absl::StatusOr<std::vector<std::string>> consumers = ParseConsumers(answer->body);
  if (!consumers.ok()) return consumers.status();
  if (consumers->empty()) return absl::OkStatus();
  return KeyInUse(key_id, "is in use by service(s) ", *consumers, "end its use there first, or force the deletion");
}

}  // namespace

std::string SecretPath(const std::string& key_id) { return absl::StrCat("/secrets/", key_id); }

absl::StatusOr<Key> ReadKey(BarbicanCall& call, const std::string& key_id) {
  const absl::StatusOr<SecretDescription> secret = Describe(call, key_id);
  if (!secret.ok()) return secret.status();
  const absl::StatusOr<KeyType> type = TypeOf(key_id, *secret);
  if (!type.ok()) return type.status();
  if (absl::Status usable = CheckUsable(key_id, *secret); !usable.ok()) return usable;

  absl::StatusOr<SecretBytes> payload = ReadPayload(call, key_id);
  if (!payload.ok()) return payload.status();
  if (*type == KeyType::kSymmetric) {
    if (absl::Status length = CheckLength(key_id, *secret, payload->Size()); !length.ok()) return length;
  }
  // Text was typed by somebody, whatever it is called.
  const bool is_random = *type == KeyType::kSymmetric && secret->content_type == kBinary;
  const bool high_entropy = is_random && payload->Size() >= kMinEntropyBytes;
  return Key{.type = *type, .bytes = *std::move(payload), .high_entropy = high_entropy};
}

absl::StatusOr<KeyMetadata> ReadKeyMetadata(BarbicanCall& call, const std::string& key_id) {
  absl::StatusOr<SecretDescription> secret = Describe(call, key_id);
  if (!secret.ok()) return secret.status();
  const absl::StatusOr<KeyType> type = TypeOf(key_id, *secret);
  if (!type.ok()) return type.status();
  absl::StatusOr<std::vector<FirstUseRecord>> records = ReadFirstUses(call, key_id);
  if (!records.ok()) return records.status();
  return KeyMetadata{.key_id = key_id,
                     .type = *type,
                     // cinder stores "AES".
                     .algorithm = absl::AsciiStrToLower(PlainLine(secret->algorithm)),
                     .bit_length = secret->bit_length,
                     .name = PlainLine(secret->name),
                     .status = absl::AsciiStrToLower(PlainLine(secret->status)),
                     .created_at = secret->created_at,
                     .first_uses = *std::move(records)};
}

absl::Status DeleteSecret(BarbicanCall& call, const std::string& key_id, bool force) {
  if (!force) {
    if (absl::Status unused = CheckUnused(call, key_id); !unused.ok()) return unused;
  }
  const BarbicanRequest request = {.method = "DELETE",
                                   .path = SecretPath(key_id),
                                   .what = absl::StrCat("delete key ", key_id),
                                   .may_fall_back = false};
  const absl::StatusOr<HttpAnswer> answer = call.Send(request);
  if (!answer.ok()) return answer.status();
  // An attempt whose answer was lost has deleted it.
  const bool is_gone = answer->status == http_status::kNotFound && call.Attempts() > 1;
  return answer->status == http_status::kNoContent || answer->status == http_status::kOk || is_gone
             ? absl::OkStatus()
             : call.ErrorOf(request, *answer);
}

}  // namespace volcrypt
