#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "agent/keys/key_manager.h"
#include "agent/keys/openstack/barbican_call.h"

namespace volcrypt {

// Stores a copy of the key as a new secret and lets its owner, where one is named, read it. The answer is the secret's
// id. A secret whose owner could not be let in is deleted again. KEY_UNFIT for what Barbican does not take. Where the
// secret may exist although it failed, the error says how to find it.
absl::StatusOr<std::string> StoreKey(BarbicanCall& call, const Key& key, const KeyCopy& description);

}  // namespace volcrypt
