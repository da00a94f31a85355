// Bodies of Barbican's requests and answers, except those that hold a key. Pure. An answer that is not as expected is
// KEY_MANAGER_UNAVAILABLE.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "agent/keys/key_manager.h"

namespace volcrypt {

// GET /v1/secrets/{id}
struct SecretDescription {
  std::string name;
  std::string secret_type;  // symmetric, passphrase, opaque, certificate, private, public
  std::string status;       // ACTIVE
  std::string algorithm;
  std::string content_type;  // of the payload; empty: there is none
  uint32_t bit_length = 0;   // as whoever stored it said; 0: did not
  std::optional<absl::Time> created_at;
};
absl::StatusOr<SecretDescription> ParseSecretDescription(absl::string_view json);

// The id in secret_ref or order_ref: the last segment, which must be a UUID.
absl::StatusOr<std::string> ParseReference(absl::string_view json, const char* member);

// GET /v1/orders/{id}
struct OrderState {
  std::string status;     // PENDING, ACTIVE, ERROR
  std::string secret_id;  // ACTIVE
  std::string error_code;
  std::string error_reason;
};
absl::StatusOr<OrderState> ParseOrderState(absl::string_view json);
std::string OrderBody(const NewKey& key);

// User metadata: GET /v1/secrets/{id}/metadata; POST to it, and PUT to .../metadata/{key}
absl::StatusOr<std::map<std::string, std::string>> ParseUserMetadata(absl::string_view json);
std::string MetadatumBody(const std::string& key, const std::string& value);

// GET and PUT /v1/secrets/{id}/acl
struct ReadAcl {
  std::vector<std::string> users;
  bool project_access = true;
};
absl::StatusOr<ReadAcl> ParseReadAcl(absl::string_view json);
std::string ReadAclBody(const ReadAcl& acl);

// GET /v1/secrets/{id}/consumers: the services that registered their use of the secret.
absl::StatusOr<std::vector<std::string>> ParseConsumers(absl::string_view json);

// What an error's body says, of whichever of its four shapes: Barbican's own JSON, the JSON of the authentication
// before it, a page of HTML, plain text. One line; may be empty.
std::string ErrorText(absl::string_view body);

}  // namespace volcrypt
