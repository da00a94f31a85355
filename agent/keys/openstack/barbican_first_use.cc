#include "agent/keys/openstack/barbican_first_use.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/keys/openstack/barbican_json.h"
#include "agent/keys/openstack/barbican_secret.h"
#include "agent/keys/openstack/first_use_place.h"
#include "agent/keys/openstack/first_use_text.h"
#include "agent/keys/openstack/http_status.h"

namespace volcrypt {
namespace {

// A key may have formatted many volumes, and anybody may put other things there: thousands of the longest.
constexpr size_t kMaxMetadataBytes = size_t{2} * 1024 * 1024;
// Each round is lost to somebody else's write in between.
constexpr int kMaxRounds = 3;

}  // namespace

absl::StatusOr<std::map<std::string, std::string>> ReadUserMetadata(BarbicanCall& call, const std::string& key_id) {
  const BarbicanRequest request = {.path = absl::StrCat(SecretPath(key_id), "/metadata"),
                                   .what = absl::StrCat("read the first-use records beside key ", key_id),
                                   .max_answer_bytes = kMaxMetadataBytes};
  const absl::StatusOr<HttpAnswer> answer = call.Send(request);
  if (!answer.ok()) return answer.status();
  if (answer->status != http_status::kOk) return call.ErrorOf(request, *answer);
  return ParseUserMetadata(answer->body);
}

absl::StatusOr<std::vector<FirstUseRecord>> ReadFirstUses(BarbicanCall& call, const std::string& key_id) {
  const absl::StatusOr<std::map<std::string, std::string>> metadata = ReadUserMetadata(call, key_id);
  if (!metadata.ok()) return metadata.status();
  return FirstUsesIn(*metadata);
}

absl::Status RecordFirstUse(BarbicanCall& call, const std::string& key_id, const FirstUseRecord& record) {
  const absl::StatusOr<std::string> name = FirstUseName(record.volume_id);
  if (!name.ok()) return name.status();
  const absl::StatusOr<std::string> value = FirstUseValue(record);
  if (!value.ok()) return value.status();
  const FirstUsePlace place(call, key_id, record.volume_id);
  for (int round = 0; round < kMaxRounds; ++round) {
    const absl::StatusOr<FirstUseRows> rows = place.List();
    if (!rows.ok()) return rows.status();
    if (absl::Status distinct = place.CheckDistinct(*rows); !distinct.ok()) return distinct;
    // An addition is not repeated: the first one, late, would replace what has become of the record by then.
    const absl::StatusOr<bool> written =
        rows->main ? place.Replace(*name, *value) : place.Add(*name, *value, Repeat::kUnsent);
    if (!written.ok()) return written.status();
    if (!*written) continue;
    for (const FirstUseClaim& claim : rows->claims) {
      // A damaged one may be the record of a volume whose id looks like a claim.
      if (!claim.is_damaged) place.RemoveIfPossible(claim.name);
    }
    return absl::OkStatus();
  }
  return place.Contended();
}

absl::Status DropFirstUse(BarbicanCall& call, const std::string& key_id, const std::string& volume_id) {
  const absl::StatusOr<std::string> name = FirstUseName(volume_id);
  if (!name.ok()) return name.status();
  const FirstUsePlace place(call, key_id, volume_id);
  const absl::StatusOr<FirstUseRows> rows = place.List();
  if (!rows.ok()) return rows.status();
  // The record last: while it stands nobody else's claim can win.
  for (const FirstUseClaim& claim : rows->claims) {
    if (absl::Status removed = place.Remove(claim.name); !removed.ok()) return removed;
  }
  return rows->main ? place.Remove(*name) : absl::OkStatus();
}

}  // namespace volcrypt
