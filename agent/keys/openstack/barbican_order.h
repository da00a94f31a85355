#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "agent/keys/key_manager.h"
#include "agent/keys/openstack/barbican_call.h"

namespace volcrypt {

// Barbican generates the key: orders it and waits until it is there. The answer is the secret's id. INVALID_FIELD for
// what Barbican does not make; KEY_MANAGER_TIMED_OUT names an order that still stands. Where the key may
// exist although it failed, the error says how to find it.
absl::StatusOr<std::string> OrderKey(BarbicanCall& call, const NewKey& key);

}  // namespace volcrypt
