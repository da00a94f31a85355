#pragma once

#include <vector>

#include "absl/time/time.h"
#include "agent/keys/key_manager.h"
#include "agent/keys/kmip/kmip_endpoint.h"
#include "agent/keys/kmip/kmip_request.h"
#include "agent/keys/kmip/tls_context.h"

namespace volcrypt {

// Goes through everything that a key's use needs of one server and appends the steps: resolve, connect, tls, version,
// authenticate, read, create. Ends with the first that fails, and then answers false. Changes nothing there.
bool CheckKmipServer(const KmipEndpoint& endpoint, const TlsContext& tls, const KmipCredential* credential,
                     absl::Time deadline, std::vector<CheckStep>& steps);

}  // namespace volcrypt
