#include "agent/keys/openstack/barbican_acl.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "agent/keys/openstack/barbican_json.h"
#include "agent/keys/openstack/barbican_secret.h"
#include "agent/keys/openstack/http_status.h"
#include "encryptors/reason.h"

namespace volcrypt {
namespace {

// Each round is lost to somebody else's write.
constexpr int kMaxRounds = 3;

std::string PathOf(const std::string& key_id) { return absl::StrCat(SecretPath(key_id), "/acl"); }

absl::StatusOr<ReadAcl> Read(BarbicanCall& call, const std::string& key_id) {
  const BarbicanRequest request = {
      .path = PathOf(key_id), .what = absl::StrCat("read the read ACL of key ", key_id), .may_fall_back = false};
  const absl::StatusOr<HttpAnswer> answer = call.Send(request);
  if (!answer.ok()) return answer.status();
  if (answer->status != http_status::kOk) return call.ErrorOf(request, *answer);
  return ParseReadAcl(answer->body);
}

absl::Status Write(BarbicanCall& call, const std::string& key_id, const ReadAcl& acl) {
  const std::string body = ReadAclBody(acl);
  // Not repeated: the first one, late, would undo what others have written by then.
  const BarbicanRequest request = {.method = "PUT",
                                   .path = PathOf(key_id),
                                   .what = absl::StrCat("write the read ACL of key ", key_id),
                                   .body = BodyOf(body),
                                   .repeat = Repeat::kUnsent,
                                   .may_fall_back = false};
  const absl::StatusOr<HttpAnswer> answer = call.Send(request);
  if (!answer.ok()) return answer.status();
  return answer->status == http_status::kOk ? absl::OkStatus() : call.ErrorOf(request, *answer);
}

}  // namespace

absl::Status AllowReading(BarbicanCall& call, const std::string& key_id, const std::string& user_id) {
  absl::Status written;
  for (int round = 0;; ++round) {
    absl::StatusOr<ReadAcl> acl = Read(call, key_id);
    if (!acl.ok()) return written.ok() ? acl.status() : written;
    if (std::ranges::find(acl->users, user_id) != acl->users.end()) return absl::OkStatus();
    if (!written.ok()) return written;
    if (round == kMaxRounds) break;
    acl->users.push_back(user_id);
    written = Write(call, key_id, *acl);
    // One whose answer is lost may have been done.
    if (!written.ok() && !call.MayBeDone()) return written;
  }
  return MakeError(Reason::kKeyManagerUnavailable,
                   absl::StrCat("the read ACL of key ", key_id, " is changed by others all the time; retry"));
}

}  // namespace volcrypt
