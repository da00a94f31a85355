#pragma once

#include <vector>

#include "agent/keys/key_manager.h"
#include "agent/keys/openstack/barbican_call.h"

namespace volcrypt {

// KeyManager::Check: reaches Keystone (resolve, connect, tls), authenticates as the agent, finds Barbican in the
// catalog, reaches it (resolve, connect or tls where that fails), lists a secret, and has an order refused that could
// not be carried out, which who may not order is told first. All that with the agent's own credentials; where there is
// a caller's token that the section accepts, a last step (caller) lists a secret with that.
std::vector<CheckStep> CheckBarbican(BarbicanServices& services, const KeyCall& call);

}  // namespace volcrypt
