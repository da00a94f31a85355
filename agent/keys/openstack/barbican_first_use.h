// First-use records beside a secret of Barbican, as its user metadata. They never block its deletion by others, as
// consumers would. KEY_ACCESS_DENIED to whoever may only read the secret.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/keys/key_manager.h"
#include "agent/keys/openstack/barbican_call.h"

namespace volcrypt {

absl::StatusOr<std::vector<FirstUseRecord>> ReadFirstUses(BarbicanCall& call, const std::string& key_id);

// See KeyManager. Two volumes whose ids differ in case only cannot be told apart by Barbican: KEY_IN_USE to the second.
absl::StatusOr<FirstUseRecord> ClaimFirstUse(BarbicanCall& call, const std::string& key_id,
                                             const FirstUseRecord& claim);
absl::Status RecordFirstUse(BarbicanCall& call, const std::string& key_id, const FirstUseRecord& record);
absl::Status DropFirstUse(BarbicanCall& call, const std::string& key_id, const std::string& volume_id);

}  // namespace volcrypt
