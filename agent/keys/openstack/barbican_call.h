#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "agent/keys/key_manager.h"
#include "agent/keys/openstack/barbican_services.h"
#include "agent/keys/openstack/call_deadline.h"
#include "agent/keys/openstack/retry.h"
#include "encryptors/reason.h"

namespace volcrypt {

struct BarbicanRequest {
  std::string method = "GET";
  std::string path;  // below /v1
  std::string what;  // for messages, after "cannot": "read key X"
  std::string accept = "application/json";
  std::span<const uint8_t> body = {};  // JSON; empty: none
  size_t max_answer_bytes = size_t{64} * 1024;
  bool body_is_secret = false;  // then nothing of an error's text is repeated: servers quote what they refuse
  bool answer_is_secret = false;
  Repeat repeat = Repeat::kSafe;
  // With the agent's own token when the caller's may not. Not for what makes or deletes a key.
  bool may_fall_back = true;
};

// The text as a request's body; it outlives the request.
inline std::span<const uint8_t> BodyOf(absl::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

// One call of the key manager: its requests to Barbican, with the credentials and within the time that it has.
class BarbicanCall {
 public:
  // Both outlive this.
  BarbicanCall(BarbicanServices& services, const KeyCall& call);

  // An answer that the caller can judge: 2xx, 400, 404, 406, 409, 413. Everything else is an error, of the reasons
  // CALLER_TOKEN_REJECTED, KEY_ACCESS_DENIED, KEY_MANAGER_UNAVAILABLE, KEY_MANAGER_TIMED_OUT.
  absl::StatusOr<HttpAnswer> Send(const BarbicanRequest& request);

  // For an answer that is not the one hoped for: KEY_NOT_FOUND for 404, KEY_UNFIT for 406 and 413, else
  // KEY_MANAGER_UNAVAILABLE.
  absl::Status ErrorOf(const BarbicanRequest& request, const HttpAnswer& answer) const;

  // How often the last request was sent: a failure that repeats may be the first one's success.
  int Attempts() const { return attempts_; }
  // Whether the last request may have been carried out although it did not succeed: its answer was lost, or speaks of
  // trouble of the server.
  bool MayBeDone() const { return may_be_done_; }
  // The requests so far were answered to the caller's token.
  bool IsCallers() const { return credential_ == Credential::kCaller; }
  const CallDeadline& Deadline() const { return deadline_; }
  void SetDeadline(const CallDeadline& deadline) { deadline_ = deadline; }
  BarbicanServices& Services() const { return services_; }
  void Warn(const std::string& warning) const;

 private:
  enum class Credential : uint8_t { kCaller, kAgent };

  absl::StatusOr<HttpAnswer> SendAsCaller(const BarbicanRequest& request);
  absl::StatusOr<HttpAnswer> SendAsAgent(const BarbicanRequest& request);
  absl::StatusOr<HttpAnswer> SendWith(const BarbicanRequest& request,
                                      std::vector<HttpRequest::SecretHeader> credentials);
  ErrorMetadata MetadataFor(const HttpAnswer& answer) const;
  absl::Status TokenRefused(const BarbicanRequest& request, const HttpAnswer& answer) const;
  absl::Status Denied(const BarbicanRequest& request, const HttpAnswer& answer) const;

  BarbicanServices& services_;
  const KeyCall& call_;
  CallDeadline deadline_;
  Credential credential_;
  bool caller_was_denied_ = false;
  int attempts_ = 0;
  bool may_be_done_ = false;
  std::string agent_;  // who the agent is, for messages; empty while unknown
};

// The error of a request that was to make a secret of this name: how to find it, if it may have been made all the same.
absl::Status NotMade(const BarbicanCall& call, const absl::Status& error, const std::string& name);

}  // namespace volcrypt
