#include "agent/keys/openstack/barbican_acl.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "agent/keys/openstack/barbican_json.h"
#include "agent/keys/openstack/barbican_secret.h"
#include "agent/keys/openstack/http_status.h"

namespace volcrypt {

absl::Status AllowReading(BarbicanCall& call, const std::string& key_id, const std::string& user_id) {
  const std::string path = absl::StrCat(SecretPath(key_id), "/acl");
  const std::string what = absl::StrCat("the read ACL of key ", key_id);
  const BarbicanRequest read = {.path = path, .what = absl::StrCat("read ", what), .may_fall_back = false};
  const absl::StatusOr<HttpAnswer> current = call.Send(read);
  if (!current.ok()) return current.status();
  if (current->status != http_status::kOk) return call.ErrorOf(read, *current);
  absl::StatusOr<ReadAcl> acl = ParseReadAcl(current->body);
  if (!acl.ok()) return acl.status();
  if (std::ranges::find(acl->users, user_id) != acl->users.end()) return absl::OkStatus();

  acl->users.push_back(user_id);
  const std::string body = ReadAclBody(*acl);
  const BarbicanRequest write = {.method = "PUT",
                                 .path = path,
                                 .what = absl::StrCat("write ", what),
                                 .body = BodyOf(body),
                                 .may_fall_back = false};
  const absl::StatusOr<HttpAnswer> written = call.Send(write);
  if (!written.ok()) return written.status();
  return written->status == http_status::kOk ? absl::OkStatus() : call.ErrorOf(write, *written);
}

}  // namespace volcrypt
