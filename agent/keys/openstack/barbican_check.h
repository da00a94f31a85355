#pragma once

#include <vector>

#include "agent/keys/key_manager.h"
#include "agent/keys/openstack/barbican_call.h"

namespace volcrypt {

// KeyManager::Check: reaches Keystone (resolve, connect, tls), authenticates as the agent, finds Barbican in the
// catalog, reaches it (resolve, connect or tls where that fails), lists a secret, and has an order refused that could
// not be carried out, which who may not order is told first.
std::vector<CheckStep> CheckBarbican(BarbicanCall& call);

}  // namespace volcrypt
