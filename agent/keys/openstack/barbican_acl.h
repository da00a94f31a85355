#pragma once

#include <string>

#include "absl/status/status.h"
#include "agent/keys/openstack/barbican_call.h"

namespace volcrypt {

// This user may read the secret, from whatever project; everybody who could still can. Read, merged and written back,
// since Barbican has no atomic way; read again then, and merged again, some times, where another's write has undone it.
// KEY_MANAGER_UNAVAILABLE when it was undone every time.
absl::Status AllowReading(BarbicanCall& call, const std::string& key_id, const std::string& user_id);

}  // namespace volcrypt
