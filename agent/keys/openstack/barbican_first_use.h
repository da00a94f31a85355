// First-use records beside a secret of Barbican, as its user metadata. They never block its deletion by others, as
// consumers would. KEY_ACCESS_DENIED to whoever may only read the secret. How one is claimed: barbican_claim.h.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/keys/key_manager.h"
#include "agent/keys/openstack/barbican_call.h"

namespace volcrypt {

absl::StatusOr<std::map<std::string, std::string>> ReadUserMetadata(BarbicanCall& call, const std::string& key_id);
absl::StatusOr<std::vector<FirstUseRecord>> ReadFirstUses(BarbicanCall& call, const std::string& key_id);

// See KeyManager. Both take the volume's claims away, too.
absl::Status RecordFirstUse(BarbicanCall& call, const std::string& key_id, const FirstUseRecord& record);
absl::Status DropFirstUse(BarbicanCall& call, const std::string& key_id, const std::string& volume_id);

}  // namespace volcrypt
