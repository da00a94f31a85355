#include "agent/keys/openstack/first_use_place.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/keys/openstack/barbican_first_use.h"
#include "agent/keys/openstack/barbican_json.h"
#include "agent/keys/openstack/barbican_secret.h"
#include "agent/keys/openstack/http_status.h"
#include "encryptors/reason.h"

namespace volcrypt {

FirstUsePlace::FirstUsePlace(BarbicanCall& call, const std::string& key_id, std::string volume_id)
    : call_(call),
      secret_(key_id),
      collection_(absl::StrCat(SecretPath(key_id), "/metadata/")),
      what_(absl::StrCat("the first-use record of volume ", volume_id, " beside key ", key_id)),
      volume_id_(std::move(volume_id)) {}

absl::StatusOr<FirstUseRows> FirstUsePlace::List() const {
  const absl::StatusOr<std::map<std::string, std::string>> metadata = ReadUserMetadata(call_, secret_);
  if (!metadata.ok()) return metadata.status();
  return FirstUseRowsOf(volume_id_, *metadata);
}

absl::Status FirstUsePlace::CheckDistinct(const FirstUseRows& rows) const {
  if (rows.other_volume_id.empty()) return absl::OkStatus();
  return MakeError(Reason::kKeyInUse,
                   absl::StrCat(what_, " cannot be told from that of volume ", rows.other_volume_id,
                                ", whose id differs in case only; use another key"),
                   {{"volume_id", rows.other_volume_id}});
}

absl::StatusOr<bool> FirstUsePlace::Add(const std::string& name, const std::string& value, Repeat repeat) const {
  const std::string body = MetadatumBody(name, value);
  const BarbicanRequest request = {.method = "POST",
                                   .path = collection_,
                                   .what = absl::StrCat("write ", what_),
                                   .body = BodyOf(body),
                                   .repeat = repeat};
  const absl::StatusOr<HttpAnswer> answer = call_.Send(request);
  if (!answer.ok()) return answer.status();
  if (answer->status == http_status::kCreated || answer->status == http_status::kOk) return true;
  if (answer->status == http_status::kConflict) return false;
  return call_.ErrorOf(request, *answer);
}

absl::StatusOr<bool> FirstUsePlace::Replace(const std::string& name, const std::string& value) const {
  const std::string body = MetadatumBody(name, value);
  const BarbicanRequest request = {.method = "PUT",
                                   .path = absl::StrCat(collection_, name),
                                   .what = absl::StrCat("write ", what_),
                                   .body = BodyOf(body)};
  const absl::StatusOr<HttpAnswer> answer = call_.Send(request);
  if (!answer.ok()) return answer.status();
  if (answer->status == http_status::kOk || answer->status == http_status::kNoContent) return true;
  if (answer->status == http_status::kNotFound) return false;
  return call_.ErrorOf(request, *answer);
}

absl::Status FirstUsePlace::Remove(const std::string& name) const {
  const BarbicanRequest request = {
      .method = "DELETE", .path = absl::StrCat(collection_, name), .what = absl::StrCat("delete ", what_)};
  const absl::StatusOr<HttpAnswer> answer = call_.Send(request);
  if (!answer.ok()) return answer.status();
  const bool is_gone = answer->status == http_status::kNoContent || answer->status == http_status::kOk ||
                       answer->status == http_status::kNotFound;
  return is_gone ? absl::OkStatus() : call_.ErrorOf(request, *answer);
}

void FirstUsePlace::RemoveIfPossible(const std::string& name) const {
  const absl::Status removed = Remove(name);
  if (!removed.ok()) call_.Warn(absl::StrCat("the claim ", name, " is left beside the key: ", removed.message()));
}

absl::Status FirstUsePlace::Contended() const {
  return MakeError(Reason::kKeyManagerUnavailable, absl::StrCat(what_, " is changed by others all the time; retry"));
}

}  // namespace volcrypt
