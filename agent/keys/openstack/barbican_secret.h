// A key as a secret of Barbican.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "agent/keys/key_manager.h"
#include "agent/keys/openstack/barbican_call.h"
#include "agent/keys/openstack/barbican_json.h"

namespace volcrypt {

// Where the requests about a secret go, below /v1. The id is a canonical UUID.
std::string SecretPath(const std::string& key_id);

// In two requests: what the secret is, then its bytes.
absl::StatusOr<Key> ReadKey(BarbicanCall& call, const std::string& key_id);

absl::StatusOr<KeyMetadata> ReadKeyMetadata(BarbicanCall& call, const std::string& key_id);

// KEY_IN_USE while it has first-use records, or other services have registered as its consumers, unless forced.
absl::Status DeleteSecret(BarbicanCall& call, const std::string& key_id, bool force);

}  // namespace volcrypt
