#include "agent/keys/openstack/keystone_session.h"

#include <algorithm>
#include <new>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/keys/openstack/http_status.h"
#include "agent/keys/openstack/keystone_json.h"
#include "agent/keys/openstack/remote_error.h"
#include "agent/keys/openstack/retry.h"
#include "agent/keys/openstack/secret_buffer.h"
#include "agent/keys/openstack/service_url.h"
#include "encryptors/reason.h"

namespace volcrypt {
namespace {

using std::chrono::seconds;
using TimePoint = KeystoneToken::TimePoint;

constexpr size_t kMaxBodyBytes = size_t{16} * 1024;
constexpr size_t kMaxCatalogBytes = size_t{1024} * 1024;
// A token is renewed this long, but no more than this part of its life, before it expires.
constexpr seconds kRenewalMargin(60);
constexpr int kRenewalPart = 10;
// While an early renewal fails, the token that is still good is used for this long before the next attempt.
constexpr seconds kEarlyRenewalPause(5);
// Keystone counts failures and locks a user out, so credentials that it refused are not sent again for this long.
constexpr seconds kRefusalStands(5);
// Longer lives are cut to this: token times are of outside.
constexpr std::chrono::hours kMaxLifetime(24 * 30);
constexpr char kKeystone[] = "Keystone";
constexpr char kWhat[] = "authenticate";

// The catalog's endpoint of the wanted interface and region; empty: there is none.
std::string ChooseEndpoint(const std::vector<CatalogEndpoint>& endpoints, const BarbicanConfig& config) {
  for (const CatalogEndpoint& endpoint : endpoints) {
    if (endpoint.interface != config.interface) continue;
    if (!config.region.empty() && endpoint.region != config.region) continue;
    absl::StatusOr<std::string> url = ServiceUrl(endpoint.url, "catalog");
    if (url.ok()) return WithVersion1(*url);
  }
  return "";
}

}  // namespace

KeystoneSession::KeystoneSession(HttpClient& http, const BarbicanConfig& config, SecretBytes secret, Now now)
    : http_(http),
      config_(config),
      auth_url_(ServiceUrl(config.auth_url, "auth_url").value_or("")),
      secret_(std::move(secret)),
      now_(std::move(now)) {}

absl::StatusOr<KeystoneSession::TokenPtr> KeystoneSession::Token(const CallDeadline& deadline) {
  std::unique_lock lock(mutex_);
  while (true) {
    const TimePoint now = now_();
    const bool is_good = token_ != nullptr && now < token_->expires_at;
    if (is_good && (now < token_->renew_at || renewal_ != nullptr || now < no_early_renewal_before_)) return token_;
    if (!is_good && !refusal_.ok() && now < refusal_stands_until_) return refusal_;
    if (renewal_ == nullptr) return Renew(lock, deadline);
    const std::shared_ptr<Renewal> renewal = renewal_;
    if (!changed_.wait_until(lock, deadline.When(), [&] { return renewal->is_done; })) {
      return TransportError({.failure = HttpFailure::kTimedOut, .failure_text = "no answer to another call's request"},
                            kKeystone, auth_url_, kWhat);
    }
    // Who renewed may have had less time than we have: then it is our turn.
    if (renewal->result.ok() || !HasReason(renewal->result.status(), Reason::kKeyManagerTimedOut)) {
      return renewal->result;
    }
  }
}

absl::StatusOr<KeystoneSession::TokenPtr> KeystoneSession::NewToken(const CallDeadline& deadline) {
  absl::StatusOr<TokenPtr> fresh = Authenticate(deadline);
  const std::lock_guard lock(mutex_);
  Keep(fresh);
  return fresh;
}

// Under the lock.
void KeystoneSession::Keep(const absl::StatusOr<TokenPtr>& fresh) {
  if (fresh.ok()) {
    token_ = *fresh;
    if (!token_->barbican_url.empty()) catalog_url_ = token_->barbican_url;
    refusal_ = absl::OkStatus();
  } else if (HasReason(fresh.status(), Reason::kKeyAccessDenied)) {
    refusal_ = fresh.status();
    refusal_stands_until_ = now_() + kRefusalStands;
  }
}

void KeystoneSession::Discard(const TokenPtr& token) {
  const std::lock_guard lock(mutex_);
  if (token_ == token) token_ = nullptr;
}

absl::StatusOr<std::string> KeystoneSession::BarbicanUrl(const CallDeadline& deadline) {
  if (!config_.endpoint.empty()) {
    absl::StatusOr<std::string> url = ServiceUrl(config_.endpoint, "endpoint");
    if (!url.ok()) return url;
    return WithVersion1(*url);
  }
  {
    const std::lock_guard lock(mutex_);
    if (!catalog_url_.empty()) return UnlessDowngraded(catalog_url_);
  }
  const absl::StatusOr<TokenPtr> token = Token(deadline);
  if (!token.ok()) return token.status();
  if ((*token)->barbican_url.empty()) return NoEndpoint();
  return UnlessDowngraded((*token)->barbican_url);
}

// Without the lock while Keystone is asked.
absl::StatusOr<KeystoneSession::TokenPtr> KeystoneSession::Renew(std::unique_lock<std::mutex>& lock,
                                                                 const CallDeadline& deadline) {
  const auto renewal = std::make_shared<Renewal>();
  renewal_ = renewal;
  const TokenPtr standing = token_ != nullptr && now_() < token_->expires_at ? token_ : nullptr;
  lock.unlock();
  absl::StatusOr<TokenPtr> fresh = TokenPtr();
  try {
    fresh = Authenticate(standing == nullptr ? deadline : deadline.HalfWay());
  } catch (const std::bad_alloc&) {
    // Else nobody would ever renew again: all would wait for this renewal.
    fresh = MakeError(Reason::kOutOfMemory, "there is no memory to authenticate at Keystone");
  }
  lock.lock();
  Keep(fresh);
  if (!fresh.ok() && standing != nullptr) no_early_renewal_before_ = now_() + kEarlyRenewalPause;
  renewal->result = fresh;
  renewal->is_done = true;
  renewal_ = nullptr;
  changed_.notify_all();
  if (!fresh.ok() && standing != nullptr && now_() < standing->expires_at) return standing;
  return fresh;
}

absl::StatusOr<KeystoneSession::TokenPtr> KeystoneSession::Authenticate(const CallDeadline& deadline) const {
  const absl::StatusOr<SecretBytes> body = AuthenticationBody();
  if (!body.ok()) return body.status();
  const TimePoint asked_at = now_();
  HttpRequest request = {.method = "POST",
                         .url = absl::StrCat(auth_url_, "/auth/tokens"),
                         .content_type = "application/json",
                         .body = body->Bytes(),
                         .max_answer_bytes = kMaxCatalogBytes,
                         .secret_answer_header = "X-Subject-Token"};
  if (!config_.endpoint.empty()) request.url += "?nocatalog";
  RetriedAnswer sent = SendWithRetries(http_, request, Repeat::kSafe, deadline);
  if (sent.answer.failure != HttpFailure::kNone) return TransportError(sent.answer, kKeystone, auth_url_, kWhat);
  if (sent.answer.status != http_status::kCreated) return Refusal(sent.answer);
  return TokenOf(std::move(sent.answer), asked_at);
}

absl::StatusOr<SecretBytes> KeystoneSession::AuthenticationBody() const {
  SecretBuffer body(kMaxBodyBytes);
  if (!config_.application_credential_id.empty()) {
    body.Append(R"({"auth":{"identity":{"methods":["application_credential"],"application_credential":{"id":)")
        .AppendJsonString(config_.application_credential_id)
        .Append(R"(,"secret":)")
        .AppendJsonString(secret_.Bytes())
        .Append("}}}}");
    return body.Take();
  }
  body.Append(R"({"auth":{"identity":{"methods":["password"],"password":{"user":{"name":)")
      .AppendJsonString(config_.username)
      .Append(R"(,"domain":{"name":)")
      .AppendJsonString(config_.user_domain_name)
      .Append(R"(},"password":)")
      .AppendJsonString(secret_.Bytes())
      .Append(R"(}}},"scope":{"project":{"name":)")
      .AppendJsonString(config_.project_name)
      .Append(R"(,"domain":{"name":)")
      .AppendJsonString(config_.project_domain_name)
      .Append("}}}}}");
  return body.Take();
}

absl::StatusOr<KeystoneSession::TokenPtr> KeystoneSession::TokenOf(HttpAnswer answer, TimePoint asked_at) const {
  absl::StatusOr<KeystoneTokenBody> body = ParseTokenBody(answer.body);
  if (!body.ok()) return body.status();
  const bool is_printable = std::ranges::all_of(answer.header.Bytes(), [](uint8_t c) { return c > ' ' && c <= '~'; });
  if (answer.header.IsEmpty() || !is_printable) {
    return MakeError(Reason::kKeyManagerUnavailable,
                     "Keystone's answer has no X-Subject-Token; check that auth_url is Keystone's, with its /v3",
                     {{"server", kKeystone}, {"url", auth_url_}});
  }
  auto token = std::make_shared<KeystoneToken>();
  token->value = std::move(answer.header);
  token->user_id = std::move(body->user_id);
  token->user_name = std::move(body->user_name);
  token->project_name = std::move(body->project_name);
  token->roles = std::move(body->roles);
  token->barbican_url = ChooseEndpoint(body->key_managers, config_);
  const std::chrono::nanoseconds life =
      absl::ToChronoNanoseconds(std::min(body->lifetime, absl::FromChrono(kMaxLifetime)));
  token->expires_at = asked_at + life;
  token->renew_at = token->expires_at - std::min<std::chrono::nanoseconds>(kRenewalMargin, life / kRenewalPart);
  return TokenPtr(std::move(token));
}

// Nothing of the answer is repeated: Keystone quotes what it does not understand, and that was a password.
absl::Status KeystoneSession::Refusal(const HttpAnswer& answer) const {
  const bool is_application = !config_.application_credential_id.empty();
  const std::string who =
      is_application ? absl::StrCat("application credential ", config_.application_credential_id)
                     : absl::StrCat("user ", config_.username, " of domain ", config_.user_domain_name, " for project ",
                                    config_.project_name, " of domain ", config_.project_domain_name);
  ErrorMetadata metadata = {{"server", kKeystone}, {"url", auth_url_}, {"http_status", absl::StrCat(answer.status)}};
  if (answer.status == http_status::kUnauthorized || answer.status == http_status::kForbidden ||
      (answer.status == http_status::kNotFound && is_application)) {
    metadata["credential"] = "agent";
    return MakeError(
        Reason::kKeyAccessDenied,
        absl::StrCat("Keystone at ", auth_url_, " refuses the agent's own ", who, " (HTTP ", answer.status, "); check ",
                     is_application ? "the id and secret, and that it was not deleted and has not expired"
                                    : "the names and password, and that the user has a role in the project"),
        std::move(metadata));
  }
  return MakeError(Reason::kKeyManagerUnavailable,
                   absl::StrCat("Keystone at ", auth_url_, " cannot authenticate ", who, ": HTTP ", answer.status, "; ",
                                IsServerTrouble(answer.status) ? "check Keystone's health and log"
                                                               : "check that auth_url is Keystone's, with its /v3"),
                   std::move(metadata));
}

absl::Status KeystoneSession::NoEndpoint() const {
  return MakeError(
      Reason::kKeyManagerUnavailable,
      absl::StrCat("Keystone's catalog has no service of type key-manager with interface ", config_.interface,
                   config_.region.empty() ? "" : absl::StrCat(" and region ", config_.region),
                   "; set interface and region to what `openstack catalog show key-manager` lists, or set endpoint"),
      {{"server", kKeystone}, {"url", auth_url_}, {"interface", config_.interface}, {"region", config_.region}});
}

// What was configured to be verified and closed to others must not become open by what a catalog says.
absl::StatusOr<std::string> KeystoneSession::UnlessDowngraded(const std::string& url) const {
  if (!absl::StartsWith(auth_url_, "https:") || absl::StartsWith(url, "https:")) return url;
  return MakeError(
      Reason::kKeyManagerUnavailable,
      absl::StrCat("Keystone is asked over TLS, but its catalog names Barbican at ", url,
                   ", where tokens and keys can be read on the way; give Barbican's endpoint of interface ",
                   config_.interface,
                   " an https:// URL in the catalog, or set endpoint to this one if "
                   "that is meant"),
      {{"server", kKeystone}, {"url", url}, {"interface", config_.interface}});
}

}  // namespace volcrypt
