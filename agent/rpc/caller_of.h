#pragma once

#include <grpcpp/server_context.h>

#include "absl/status/statusor.h"
#include "agent/caller.h"
#include "agent/rpc/peers.h"

namespace volcrypt {

// Who makes this call: the process that connected to a Unix socket, or the holder of the certificate that TLS has
// verified. CALLER_UNKNOWN for everybody else.
absl::StatusOr<Caller> CallerOf(const grpc::ServerContextBase& context, const Peers& peers);

}  // namespace volcrypt
