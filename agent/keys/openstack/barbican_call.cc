#include "agent/keys/openstack/barbican_call.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "agent/keys/lost_key.h"
#include "agent/keys/openstack/barbican_json.h"
#include "agent/keys/openstack/http_status.h"
#include "agent/keys/openstack/remote_error.h"
#include "encryptors/reason.h"

namespace volcrypt {
namespace {

constexpr char kBarbican[] = "Barbican";
// Tokens of every provider of Keystone are far smaller.
constexpr size_t kMaxTokenBytes = size_t{16} * 1024;

// gRPC metadata is printable, and a line end would be a header of the caller's choice.
bool IsToken(const SecretBytes& token) {
  return token.Size() <= kMaxTokenBytes &&
         std::ranges::all_of(token.Bytes(), [](uint8_t c) { return c > ' ' && c <= '~'; });
}

std::string TextFor(const BarbicanRequest& request, const HttpAnswer& answer) {
  const std::string text = request.body_is_secret ? std::string() : ErrorText(answer.body);
  return text.empty() ? absl::StrCat("HTTP ", answer.status) : absl::StrCat("HTTP ", answer.status, ", \"", text, "\"");
}

// Some servers, and things before them, show in an error what they were sent; errors are logged.
void DropWhatRepeatsCredentials(const HttpRequest& request, HttpAnswer& answer) {
  for (const HttpRequest::SecretHeader& credential : request.secret_headers) {
    const absl::string_view value(credential.value->Text(), credential.value->Size());
    if (!absl::StrContains(answer.body, value)) continue;
    explicit_bzero(answer.body.data(), answer.body.size());
    answer.body.clear();
  }
}

bool MayHaveArrived(const HttpAnswer& answer) {
  switch (answer.failure) {
    case HttpFailure::kNone:
      return answer.status < http_status::kBadRequest || answer.status >= http_status::kFirstServerError;
    case HttpFailure::kResolve:
    case HttpFailure::kConnect:
    case HttpFailure::kTls:
      return false;
    case HttpFailure::kTimedOut:
    case HttpFailure::kTooLarge:
    case HttpFailure::kMemory:
    case HttpFailure::kBroken:
      return true;
  }
  return true;
}

// As oslo.middleware and W3C Trace Context name them.
std::vector<std::pair<std::string, std::string>> TraceHeaders(const RequestTrace* trace) {
  std::vector<std::pair<std::string, std::string>> headers;
  if (trace == nullptr) return headers;
  headers.emplace_back("X-OpenStack-Request-ID", trace->request_id);
  if (!trace->traceparent.empty()) headers.emplace_back("traceparent", trace->traceparent);
  return headers;
}

bool IsRead(const BarbicanRequest& request) { return request.method == "GET"; }

}  // namespace

BarbicanCall::BarbicanCall(BarbicanServices& services, const KeyCall& call)
    : services_(services),
      call_(call),
      deadline_(CallDeadline::Of(call.deadline, services.config.timeout)),
      credential_(call.tokens != nullptr && !call.tokens->auth_token.IsEmpty() && services.config.accept_caller_token
                      ? Credential::kCaller
                      : Credential::kAgent) {}

void BarbicanCall::Warn(const std::string& warning) const {
  if (call_.warnings != nullptr) call_.warnings->push_back(warning);
}

absl::StatusOr<HttpAnswer> BarbicanCall::Send(const BarbicanRequest& request) {
  may_be_done_ = false;
  // Who was denied a read and was served with the agent's rights does not get them for a deletion that follows.
  if (caller_was_denied_ && !request.may_fall_back) credential_ = Credential::kCaller;
  absl::StatusOr<HttpAnswer> answer = IsCallers() ? SendAsCaller(request) : SendAsAgent(request);
  if (!answer.ok()) return answer;
  if (answer->status == http_status::kForbidden && IsCallers() && request.may_fall_back) {
    // What the caller may not do once, it may not do in this call's next requests either.
    caller_was_denied_ = true;
    credential_ = Credential::kAgent;
    answer = SendAsAgent(request);
    if (!answer.ok()) return answer;
  }
  switch (answer->status) {
    case http_status::kUnauthorized:
      return TokenRefused(request, *answer);
    case http_status::kForbidden:
      return Denied(request, *answer);
    case http_status::kBadRequest:
    case http_status::kNotFound:
    case http_status::kNotAcceptable:
    case http_status::kConflict:
    case http_status::kTooLarge:
      return answer;
    default:
      if (answer->status >= http_status::kOk && answer->status <= http_status::kNoContent) return answer;
      return ErrorOf(request, *answer);
  }
}

absl::StatusOr<HttpAnswer> BarbicanCall::SendAsCaller(const BarbicanRequest& request) {
  const CallerTokens& tokens = *call_.tokens;
  if (!IsToken(tokens.auth_token) || !IsToken(tokens.service_token)) {
    return MakeError(Reason::kCallerTokenRejected, "the caller's token is not a Keystone token; send another",
                     {{"credential", "caller"}});
  }
  std::vector<HttpRequest::SecretHeader> credentials = {{.name = "X-Auth-Token", .value = &tokens.auth_token}};
  if (!tokens.service_token.IsEmpty()) {
    credentials.push_back({.name = "X-Service-Token", .value = &tokens.service_token});
  }
  return SendWith(request, std::move(credentials));
}

absl::StatusOr<HttpAnswer> BarbicanCall::SendAsAgent(const BarbicanRequest& request) {
  for (bool is_first = true;; is_first = false) {
    const absl::StatusOr<KeystoneSession::TokenPtr> token = services_.keystone.Token(deadline_);
    if (!token.ok()) return token.status();
    agent_ = absl::StrCat((*token)->user_name, " (project ", (*token)->project_name, ")");
    absl::StatusOr<HttpAnswer> answer = SendWith(request, {{.name = "X-Auth-Token", .value = &(*token)->value}});
    if (!answer.ok() || answer->status != http_status::kUnauthorized || !is_first) return answer;
    // Revoked, or made with keys that Keystone has replaced since: one new token, for all calls at once.
    services_.keystone.Discard(*token);
  }
}

absl::StatusOr<HttpAnswer> BarbicanCall::SendWith(const BarbicanRequest& request,
                                                  std::vector<HttpRequest::SecretHeader> credentials) {
  const absl::StatusOr<std::string> url = services_.keystone.BarbicanUrl(deadline_);
  if (!url.ok()) return url.status();
  const HttpRequest sent = {.method = request.method,
                            .url = absl::StrCat(*url, request.path),
                            .accept = request.accept,
                            .secret_headers = std::move(credentials),
                            .headers = TraceHeaders(call_.trace),
                            .content_type = request.body.empty() ? "" : "application/json",
                            .body = request.body,
                            .max_answer_bytes = request.max_answer_bytes,
                            .answer_is_secret = request.answer_is_secret,
                            // Of a deletion the attempts are counted: see Attempts().
                            .is_sent_once = request.repeat == Repeat::kUnsent || request.method == "DELETE"};
  RetriedAnswer retried = SendWithRetries(services_.http, sent, request.repeat, deadline_);
  attempts_ = retried.attempts;
  may_be_done_ = MayHaveArrived(retried.answer);
  DropWhatRepeatsCredentials(sent, retried.answer);
  if (retried.answer.failure == HttpFailure::kTooLarge && request.answer_is_secret) {
    return MakeError(Reason::kKeyUnfit, absl::StrCat("cannot ", request.what, ": its payload is larger than ",
                                                     request.max_answer_bytes, " bytes"));
  }
  if (retried.answer.failure != HttpFailure::kNone) {
    return TransportError(retried.answer, kBarbican, *url, request.what);
  }
  return std::move(retried.answer);
}

ErrorMetadata BarbicanCall::MetadataFor(const HttpAnswer& answer) const {
  return {{"server", kBarbican},
          {"http_status", absl::StrCat(answer.status)},
          {"credential", IsCallers() ? "caller" : "agent"},
          {"tried", caller_was_denied_ ? "caller,agent"
                    : IsCallers()      ? "caller"
                                       : "agent"}};
}

absl::Status BarbicanCall::TokenRefused(const BarbicanRequest& request, const HttpAnswer& answer) const {
  if (IsCallers()) {
    return MakeError(
        Reason::kCallerTokenRejected,
        absl::StrCat("cannot ", request.what,
                     ": Barbican does not accept the caller's token; it has expired or was revoked, or the "
                     "service token with it is not one: send a new one"),
        MetadataFor(answer));
  }
  return MakeError(Reason::kKeyAccessDenied,
                   absl::StrCat("cannot ", request.what,
                                ": Barbican does not accept a token that Keystone has just given the agent; check that "
                                "Barbican's [keystone_authtoken] names the same Keystone, and its log"),
                   MetadataFor(answer));
}

absl::Status BarbicanCall::Denied(const BarbicanRequest& request, const HttpAnswer& answer) const {
  const std::string who = IsCallers()          ? "the caller's user"
                          : caller_was_denied_ ? absl::StrCat("the caller's user, nor the agent's user ", agent_)
                                               : absl::StrCat("the agent's user ", agent_);
  // Barbican's older policy asks for creator, its newer one for member: docs/key-managers.md.
  const absl::string_view remedy =
      IsRead(request) ? "give it the roles creator and member in the key's project, or a place in the secret's read ACL"
      // Barbican answers 403 for an exceeded quota, too.
      : request.method == "POST" && !request.may_fall_back
          ? "give it the roles creator and member in the key's project, or raise the project's quota "
            "in Barbican if it is used up"
          : "give it the roles creator and member in the key's project";
  return MakeError(Reason::kKeyAccessDenied,
                   absl::StrCat("cannot ", request.what, ": Barbican does not allow it to ", who, " (",
                                TextFor(request, answer), "); ", remedy),
                   MetadataFor(answer));
}

absl::Status BarbicanCall::ErrorOf(const BarbicanRequest& request, const HttpAnswer& answer) const {
  const std::string text = absl::StrCat("cannot ", request.what, ": Barbican answers ", TextFor(request, answer));
  switch (answer.status) {
    case http_status::kNotFound:
      return MakeError(Reason::kKeyNotFound,
                       absl::StrCat(text, "; it was deleted, has expired, or never was in this Barbican"),
                       MetadataFor(answer));
    case http_status::kNotAcceptable:
    case http_status::kTooLarge:
      return MakeError(Reason::kKeyUnfit, text, MetadataFor(answer));
    default:
      return MakeError(Reason::kKeyManagerUnavailable,
                       absl::StrCat(text, IsServerTrouble(answer.status)
                                              ? "; check the health and log of Barbican, and of the Keystone it asks"
                                              : "; check that its endpoint is Barbican's"),
                       MetadataFor(answer));
  }
}

absl::Status NotMade(const BarbicanCall& call, const absl::Status& error, const std::string& name) {
  if (!call.MayBeDone()) return error;
  return KeyMayExist(error, name,
                     name.empty() ? "look among the project's newest secrets for one without name"
                                  : absl::StrCat("look in Barbican for a new secret of the name ", name));
}

}  // namespace volcrypt
