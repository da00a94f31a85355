#pragma once

#include <grpcpp/support/server_interceptor.h>

#include <memory>

#include "agent/rpc/call.h"

namespace volcrypt {

// What gRPC answers by itself, grpc.health.v1 and reflection, does not come through a CallRunner. This asks it about
// every such call, as it begins, and ends with its code and message the one that is refused: these protocols carry no
// details. `calls` outlives the server.
std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> NewBuiltInCallInterceptors(CallRunner& calls);

}  // namespace volcrypt
