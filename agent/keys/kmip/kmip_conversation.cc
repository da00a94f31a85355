#include "agent/keys/kmip/kmip_conversation.h"

#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "agent/keys/kmip/kmip_payloads.h"
#include "agent/keys/kmip/kmip_result.h"
#include "encryptors/reason.h"

namespace volcrypt {
namespace {

using Repeat = KmipClient::Repeat;

constexpr absl::string_view kNamePrefix = "name:";

// A share of the time is kept for taking back what cannot be finished.
absl::Time Before(absl::Time deadline) {
  const absl::Time now = absl::Now();
  return now + (deadline - now) * 0.75;
}

}  // namespace

absl::StatusOr<KmipReply> KmipConversation::Ask(const KmipRequest& request, Repeat repeat, const std::string& key_id) {
  absl::StatusOr<KmipReply> reply = client_.Call(request, repeat, deadline_);
  if (reply.ok() && reply->response.error) return RefusalOf(request.operation, *reply->response.error, key_id);
  return reply;
}

absl::StatusOr<std::string> KmipConversation::Resolve(const std::string& key_id) {
  absl::string_view name = key_id;
  if (key_id.empty()) return MakeError(Reason::kInvalidKeyId, "the key id is empty");
  if (!absl::ConsumePrefix(&name, kNamePrefix)) return key_id;
  if (name.empty()) return MakeError(Reason::kInvalidKeyId, "\"name:\" names no key", {{"key_id", key_id}});
  const absl::StatusOr<KmipReply> reply = Ask(LocateRequest(std::string(name)), Repeat::kAllowed, key_id);
  if (!reply.ok()) return reply.status();
  const absl::StatusOr<std::vector<std::string>> found = ReadLocated(reply->response);
  if (!found.ok()) return found.status();
  if (found->size() == 1) return found->front();
  if (found->empty()) {
    return MakeError(Reason::kKeyNotFound,
                     absl::StrCat("the KMIP server shows this client no key named ", name,
                                  "; it does not exist, or is another client's"),
                     {{"key_id", key_id}});
  }
  return MakeError(Reason::kKeyUnfit,
                   absl::StrCat(found->size(), " objects of the KMIP server are named ", name,
                                "; give the unique identifier of the one that is meant"),
                   {{"key_id", key_id}, {"matches", absl::StrCat(found->size())}});
}

absl::StatusOr<KmipAttributes> KmipConversation::Attributes(const std::string& uid, const std::string& key_id) {
  const absl::StatusOr<KmipReply> reply = Ask(GetAttributesRequest(uid), Repeat::kAllowed, key_id);
  if (!reply.ok()) return reply.status();
  return ReadAttributes(reply->response, uid);
}

absl::StatusOr<KmipAttributes> KmipConversation::VisibleAttributes(const std::string& uid, const std::string& key_id) {
  const absl::StatusOr<KmipReply> reply = client_.Call(GetAttributesRequest(uid), Repeat::kAllowed, deadline_);
  if (!reply.ok()) return reply.status();
  const std::optional<KmipResultReason> refusal = reply->response.error;
  if (!refusal) return ReadAttributes(reply->response, uid);
  const bool hidden =
      *refusal == KmipResultReason::kPermissionDenied || *refusal == KmipResultReason::kOperationNotSupported;
  if (hidden) return KmipAttributes{};
  return RefusalOf(KmipOperation::kGetAttributes, *refusal, key_id);
}

absl::Status KmipConversation::ActivateOnly(const std::string& uid) {
  const absl::StatusOr<KmipReply> reply = Ask(ActivateRequest(uid), Repeat::kNever, uid);
  absl::Status activated = reply.ok() ? CheckUid(reply->response, uid) : reply.status();
  if (activated.ok()) return activated;
  // Its answer may have been lost, and some servers activate new keys themselves.
  const absl::StatusOr<KmipAttributes> attributes = Attributes(uid, uid);
  return attributes.ok() && attributes->state == KmipState::kActive ? absl::OkStatus() : activated;
}

absl::Status KmipConversation::Activate(const std::string& uid) {
  const absl::Time all = deadline_;
  deadline_ = Before(all);
  absl::Status activated = ActivateOnly(uid);
  deadline_ = all;
  if (activated.ok()) return activated;
  return WithRollbackError(
      MakeError(ReasonOf(activated).value_or(Reason::kKeyManagerUnavailable),
                absl::StrCat("new key ", uid, " cannot be used: ", activated.message()), MetadataOf(activated)),
      Destroy(uid, uid));
}

absl::Status KmipConversation::Revoke(const std::string& uid, const std::string& key_id) {
  const absl::StatusOr<KmipReply> reply = Ask(RevokeRequest(uid), Repeat::kNever, key_id);
  return reply.ok() ? CheckUid(reply->response, uid) : reply.status();
}

absl::Status KmipConversation::Destroy(const std::string& uid, const std::string& key_id) {
  const absl::StatusOr<KmipReply> reply = Ask(DestroyRequest(uid), Repeat::kNever, key_id);
  return reply.ok() ? CheckUid(reply->response, uid) : reply.status();
}

}  // namespace volcrypt
