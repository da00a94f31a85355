#include "agent/keys/openstack/barbican_import.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "agent/keys/openstack/barbican_acl.h"
#include "agent/keys/openstack/barbican_json.h"
#include "agent/keys/openstack/barbican_secret.h"
#include "agent/keys/openstack/http_status.h"
#include "agent/keys/openstack/secret_buffer.h"
#include "encryptors/reason.h"
#include "encryptors/valid_utf8.h"

namespace volcrypt {
namespace {

// Barbican takes payloads of 20000 characters, and counts those of the base64, and bodies of 25000 bytes.
constexpr size_t kMaxKeyBytes = 15000;
constexpr size_t kMaxBodyBytes = 25000;
constexpr size_t kMaxTextBytes = 255;
// It takes no larger number, and needs none.
constexpr size_t kMaxBitLength = 32767;
// So much of a secret in an error's text is a quotation.
constexpr size_t kPartBytes = 4;

absl::string_view TypeName(KeyType type) {
  switch (type) {
    case KeyType::kSymmetric:
      return "symmetric";
    case KeyType::kPassphrase:
      return "passphrase";
    default:
      return "opaque";
  }
}

absl::Status CheckCopy(const Key& key, const KeyCopy& description) {
  if (key.bytes.IsEmpty() || key.bytes.Size() > kMaxKeyBytes) {
    return MakeError(Reason::kKeyUnfit, absl::StrCat("a key of ", key.bytes.Size(),
                                                     " bytes does not fit: Barbican holds 1 to ", kMaxKeyBytes));
  }
  for (const auto& [field, text] : {std::pair{"name", &description.name},
                                    {"algorithm", &description.algorithm},
                                    {"owner_user_id", &description.owner_user_id}}) {
    if (text->size() > kMaxTextBytes) {
      return MakeError(Reason::kInvalidField, absl::StrCat(field, " is longer than ", kMaxTextBytes, " bytes"),
                       {{"field", field}});
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<SecretBytes> BodyFor(const Key& key, const KeyCopy& description) {
  SecretBuffer body(kMaxBodyBytes);
  body.Append(R"({"secret_type":)").AppendJsonString(TypeName(key.type));
  if (!description.name.empty()) body.Append(R"(,"name":)").AppendJsonString(ValidUtf8(description.name));
  if (!description.algorithm.empty()) {
    body.Append(R"(,"algorithm":)").AppendJsonString(ValidUtf8(description.algorithm));
  }
  // Of a passphrase a length in bits means nothing.
  const size_t bits = key.bytes.Size() * 8;
  if (key.type != KeyType::kPassphrase && bits <= kMaxBitLength) body.Append(absl::StrCat(R"(,"bit_length":)", bits));
  body.Append(R"(,"payload_content_type":"application/octet-stream","payload_content_encoding":"base64","payload":")")
      .AppendBase64(key.bytes.Bytes())
      .Append(R"("})");
  return body.Take();
}

bool HasCommonPart(absl::string_view text, absl::string_view secret) {
  const size_t length = std::min(kPartBytes, secret.size());
  for (size_t i = 0; i + length <= secret.size(); ++i) {
    if (absl::StrContains(text, secret.substr(i, length))) return true;
  }
  return false;
}

// Barbican quotes what it does not like, which may be the payload: as it was sent, or decoded.
absl::StatusOr<bool> Quotes(absl::string_view text, const Key& key) {
  SecretBuffer base64(kMaxBodyBytes);
  base64.AppendBase64(key.bytes.Bytes());
  const absl::StatusOr<SecretBytes> sent = base64.Take();
  if (!sent.ok()) return sent.status();
  return HasCommonPart(text, {sent->Text(), sent->Size()}) || HasCommonPart(text, {key.bytes.Text(), key.bytes.Size()});
}

// A 400, which tells what is wrong with the secret.
absl::Status Refused(const Key& key, HttpAnswer& answer) {
  std::string text = ErrorText(answer.body);
  explicit_bzero(answer.body.data(), answer.body.size());
  const absl::StatusOr<bool> quotes = Quotes(text, key);
  if (!quotes.ok() || *quotes) {
    explicit_bzero(text.data(), text.size());
    text = "its words are not repeated, as they may quote the key";
  }
  return MakeError(Reason::kKeyUnfit,
                   absl::StrCat("cannot store a copy of the key: Barbican does not take it (HTTP 400",
                                text.empty() ? "" : ", ", text,
                                "); compare the type, length, algorithm and name of the source with what this Barbican "
                                "allows, and see its log"),
                   {{"server", "Barbican"},
                    {"http_status", absl::StrCat(answer.status)},
                    {"type", std::string(TypeName(key.type))}});
}

absl::StatusOr<std::string> StoreSecret(BarbicanCall& call, const Key& key, const KeyCopy& description) {
  const absl::StatusOr<SecretBytes> body = BodyFor(key, description);
  if (!body.ok()) return body.status();
  const BarbicanRequest request = {.method = "POST",
                                   .path = "/secrets/",
                                   .what = "store a copy of the key",
                                   .body = body->Bytes(),
                                   .body_is_secret = true,
                                   .repeat = Repeat::kUnsent,
                                   .may_fall_back = false};
  absl::StatusOr<HttpAnswer> answer = call.Send(request);
  if (!answer.ok()) return NotMade(call, answer.status(), description.name);
  if (answer->status == http_status::kBadRequest) return Refused(key, *answer);
  absl::StatusOr<std::string> key_id = answer->status == http_status::kCreated
                                           ? ParseReference(answer->body, "secret_ref")
                                           : call.ErrorOf(request, *answer);
  if (!key_id.ok()) return NotMade(call, key_id.status(), description.name);
  return key_id;
}

}  // namespace

absl::StatusOr<std::string> StoreKey(BarbicanCall& call, const Key& key, const KeyCopy& description) {
  if (absl::Status check = CheckCopy(key, description); !check.ok()) return check;
  absl::StatusOr<std::string> key_id = StoreSecret(call, key, description);
  if (!key_id.ok() || description.owner_user_id.empty()) return key_id;
  // Half of the time is left to undo it.
  const CallDeadline whole = call.Deadline();
  call.SetDeadline(whole.HalfWay());
  const absl::Status allowed = AllowReading(call, *key_id, description.owner_user_id);
  call.SetDeadline(whole);
  if (allowed.ok()) return key_id;
  return WithRollbackError(allowed, DeleteSecret(call, *key_id, true));
}

}  // namespace volcrypt
