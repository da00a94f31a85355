#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/keys/key_managers_config.h"
#include "agent/keys/openstack/call_deadline.h"
#include "agent/keys/openstack/http_client.h"
#include "encryptors/secret_bytes.h"

namespace volcrypt {

// A token of the agent's own and what Keystone said with it. Not changed once made.
struct KeystoneToken {
  using TimePoint = CallDeadline::Clock::time_point;

  SecretBytes value;
  std::string user_id;
  std::string user_name;
  std::string project_name;
  std::vector<std::string> roles;
  std::string barbican_url;  // with its /v1; empty: the catalog has none that fits
  TimePoint renew_at;
  TimePoint expires_at;
};

// The agent's own user at Keystone: authenticates by application credential or password, and keeps the token until
// shortly before it expires. How long it is good for is what Keystone's own two times say, counted on the monotonic
// clock: neither's wall clock need be right. Thread-safe: of concurrent callers one renews and the others wait for it,
// each until its own deadline.
class KeystoneSession {
 public:
  using TokenPtr = std::shared_ptr<const KeystoneToken>;
  using Now = std::function<CallDeadline::Clock::time_point()>;

  // `http` outlives this. The configuration was checked before.
  KeystoneSession(HttpClient& http, const BarbicanConfig& config, SecretBytes secret, Now now);

  // KEY_ACCESS_DENIED with metadata credential=agent when Keystone refuses the credentials, and for some seconds after,
  // in which Keystone is not asked: it locks out who fails often.
  absl::StatusOr<TokenPtr> Token(const CallDeadline& deadline);
  // A new one, whatever is kept or was refused.
  absl::StatusOr<TokenPtr> NewToken(const CallDeadline& deadline);
  // Barbican does not accept this one: the next Token is a new one.
  void Discard(const TokenPtr& token);

  // The configured one, or that of the catalog. Asks Keystone only when it was never asked before. A catalog of a
  // Keystone that is asked over TLS must not name a Barbican without: KEY_MANAGER_UNAVAILABLE.
  absl::StatusOr<std::string> BarbicanUrl(const CallDeadline& deadline);

  const std::string& AuthUrl() const { return auth_url_; }

 private:
  struct Renewal {
    bool is_done = false;
    absl::StatusOr<TokenPtr> result;
  };

  absl::StatusOr<TokenPtr> Renew(std::unique_lock<std::mutex>& lock, const CallDeadline& deadline);
  void Keep(const absl::StatusOr<TokenPtr>& fresh);
  absl::StatusOr<TokenPtr> Authenticate(const CallDeadline& deadline) const;
  absl::StatusOr<SecretBytes> AuthenticationBody() const;
  absl::StatusOr<TokenPtr> TokenOf(HttpAnswer answer, KeystoneToken::TimePoint asked_at) const;
  absl::Status Refusal(const HttpAnswer& answer) const;
  absl::Status NoEndpoint() const;
  absl::StatusOr<std::string> UnlessDowngraded(const std::string& url) const;

  HttpClient& http_;
  const BarbicanConfig config_;
  const std::string auth_url_;  // without slash at its end
  const SecretBytes secret_;
  const Now now_;

  std::mutex mutex_;
  std::condition_variable changed_;
  // Under mutex_:
  TokenPtr token_;
  std::string catalog_url_;           // of the last token that had one
  std::shared_ptr<Renewal> renewal_;  // under way
  KeystoneToken::TimePoint no_early_renewal_before_;
  absl::Status refusal_;  // of the credentials, the last time
  KeystoneToken::TimePoint refusal_stands_until_;
};

}  // namespace volcrypt
