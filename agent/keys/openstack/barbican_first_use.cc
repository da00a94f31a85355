#include "agent/keys/openstack/barbican_first_use.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/keys/openstack/barbican_json.h"
#include "agent/keys/openstack/barbican_secret.h"
#include "agent/keys/openstack/first_use_text.h"
#include "agent/keys/openstack/http_status.h"
#include "encryptors/reason.h"

namespace volcrypt {
namespace {

// Anybody may put other things there: two hundred of the longest.
constexpr size_t kMaxMetadataBytes = size_t{128} * 1024;
// Each round is lost to somebody else's write in between.
constexpr int kMaxRounds = 3;

// One record's place beside its key.
class Record {
 public:
  Record(BarbicanCall& call, const std::string& key_id, std::string name, std::string volume_id)
      : call_(call),
        collection_(absl::StrCat(SecretPath(key_id), "/metadata/")),
        name_(std::move(name)),
        what_(absl::StrCat("the first-use record of volume ", volume_id, " beside key ", key_id)),
        volume_id_(std::move(volume_id)) {}

  // Nothing: there is none. KEY_IN_USE: it is another volume's.
  absl::StatusOr<std::optional<FirstUseRecord>> Read() {
    const BarbicanRequest request = {.path = absl::StrCat(collection_, name_), .what = absl::StrCat("read ", what_)};
    const absl::StatusOr<HttpAnswer> answer = call_.Send(request);
    if (!answer.ok()) return answer.status();
    if (answer->status == http_status::kNotFound) return std::nullopt;
    if (answer->status != http_status::kOk) return call_.ErrorOf(request, *answer);
    const absl::StatusOr<std::string> value = ParseMetadatum(answer->body);
    if (!value.ok()) return value.status();
    FirstUseRecord record = ParseFirstUse(name_, *value);
    // A damaged one is whose it is asked for.
    if (record.volume_id.empty()) record.volume_id = volume_id_;
    if (record.volume_id == volume_id_) return record;
    return MakeError(Reason::kKeyInUse,
                     absl::StrCat(what_, " cannot be told from that of volume ", record.volume_id,
                                  ", whose id differs in case only; use another key"),
                     {{"volume_id", record.volume_id}});
  }

  // False: one is there.
  absl::StatusOr<bool> Add(const std::string& value) {
    const std::string body = MetadatumBody(name_, value);
    const BarbicanRequest request = {
        .method = "POST", .path = collection_, .what = absl::StrCat("write ", what_), .body = BodyOf(body)};
    const absl::StatusOr<HttpAnswer> answer = call_.Send(request);
    if (!answer.ok()) return answer.status();
    if (answer->status == http_status::kCreated || answer->status == http_status::kOk) return true;
    if (answer->status == http_status::kConflict) return false;
    return call_.ErrorOf(request, *answer);
  }

  // False: there is none to replace, or no such key.
  absl::StatusOr<bool> Replace(const std::string& value) {
    const std::string body = MetadatumBody(name_, value);
    const BarbicanRequest request = {.method = "PUT",
                                     .path = absl::StrCat(collection_, name_),
                                     .what = absl::StrCat("write ", what_),
                                     .body = BodyOf(body)};
    const absl::StatusOr<HttpAnswer> answer = call_.Send(request);
    if (!answer.ok()) return answer.status();
    if (answer->status == http_status::kOk || answer->status == http_status::kNoContent) return true;
    if (answer->status == http_status::kNotFound) return false;
    return call_.ErrorOf(request, *answer);
  }

  absl::Status Remove() {
    const BarbicanRequest request = {
        .method = "DELETE", .path = absl::StrCat(collection_, name_), .what = absl::StrCat("delete ", what_)};
    const absl::StatusOr<HttpAnswer> answer = call_.Send(request);
    if (!answer.ok()) return answer.status();
    const bool is_gone = answer->status == http_status::kNoContent || answer->status == http_status::kOk ||
                         answer->status == http_status::kNotFound;
    return is_gone ? absl::OkStatus() : call_.ErrorOf(request, *answer);
  }

  absl::Status Contended() const {
    return MakeError(Reason::kKeyManagerUnavailable, absl::StrCat(what_, " is changed by others all the time; retry"));
  }

 private:
  BarbicanCall& call_;
  const std::string collection_;
  const std::string name_;
  const std::string what_;
  const std::string volume_id_;
};

}  // namespace

absl::StatusOr<std::vector<FirstUseRecord>> ReadFirstUses(BarbicanCall& call, const std::string& key_id) {
  const BarbicanRequest request = {.path = absl::StrCat(SecretPath(key_id), "/metadata"),
                                   .what = absl::StrCat("read the first-use records beside key ", key_id),
                                   .max_answer_bytes = kMaxMetadataBytes};
  const absl::StatusOr<HttpAnswer> answer = call.Send(request);
  if (!answer.ok()) return answer.status();
  if (answer->status != http_status::kOk) return call.ErrorOf(request, *answer);
  const absl::StatusOr<std::map<std::string, std::string>> metadata = ParseUserMetadata(answer->body);
  if (!metadata.ok()) return metadata.status();
  return FirstUsesIn(*metadata);
}

absl::StatusOr<FirstUseRecord> ClaimFirstUse(BarbicanCall& call, const std::string& key_id,
                                             const FirstUseRecord& claim) {
  absl::StatusOr<std::string> name = FirstUseName(claim.volume_id);
  if (!name.ok()) return name.status();
  const absl::StatusOr<std::string> value = FirstUseValue(claim);
  if (!value.ok()) return value.status();
  Record record(call, key_id, *std::move(name), claim.volume_id);
  for (int round = 0; round < kMaxRounds; ++round) {
    // Whichever way it ends, what stands then is what counts: Barbican looks first and writes then, and an answer may
    // have been lost.
    if (const absl::StatusOr<bool> added = record.Add(*value); !added.ok()) return added.status();
    absl::StatusOr<std::optional<FirstUseRecord>> standing = record.Read();
    if (!standing.ok()) return standing.status();
    if (standing->has_value()) return **std::move(standing);
  }
  return record.Contended();
}

absl::Status RecordFirstUse(BarbicanCall& call, const std::string& key_id, const FirstUseRecord& first_use) {
  absl::StatusOr<std::string> name = FirstUseName(first_use.volume_id);
  if (!name.ok()) return name.status();
  const absl::StatusOr<std::string> value = FirstUseValue(first_use);
  if (!value.ok()) return value.status();
  Record record(call, key_id, *std::move(name), first_use.volume_id);
  for (int round = 0; round < kMaxRounds; ++round) {
    const absl::StatusOr<std::optional<FirstUseRecord>> standing = record.Read();
    if (!standing.ok()) return standing.status();
    const absl::StatusOr<bool> written = standing->has_value() ? record.Replace(*value) : record.Add(*value);
    if (!written.ok()) return written.status();
    if (*written) return absl::OkStatus();
  }
  return record.Contended();
}

absl::Status DropFirstUse(BarbicanCall& call, const std::string& key_id, const std::string& volume_id) {
  absl::StatusOr<std::string> name = FirstUseName(volume_id);
  if (!name.ok()) return name.status();
  Record record(call, key_id, *std::move(name), volume_id);
  const absl::StatusOr<std::optional<FirstUseRecord>> standing = record.Read();
  // Another volume's record stays.
  if (HasReason(standing.status(), Reason::kKeyInUse)) return absl::OkStatus();
  if (!standing.ok()) return standing.status();
  return standing->has_value() ? record.Remove() : absl::OkStatus();
}

}  // namespace volcrypt
