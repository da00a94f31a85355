#pragma once

#include <string>

#include "absl/status/status.h"
#include "agent/keys/openstack/barbican_call.h"

namespace volcrypt {

// This user may read the secret, from whatever project; everybody who could still can. Read, merged and written back:
// Barbican knows no other way, so that two who do it at once may undo one of them, which the next read repairs.
absl::Status AllowReading(BarbicanCall& call, const std::string& key_id, const std::string& user_id);

}  // namespace volcrypt
