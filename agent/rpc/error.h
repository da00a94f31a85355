#pragma once

#include <grpcpp/support/status.h>

#include "absl/status/status.h"

namespace volcrypt {

// gRPC's client drops code and details of an error whose headers are too large, so message and details stay below this.
inline constexpr size_t kMaxRpcErrorBytes = 4096;

// An error of ours as gRPC carries it: code, message, and google.rpc.ErrorInfo with reason and metadata. An error
// without a reason is a fault of ours and becomes INTERNAL / WORKER_FAILED. OK stays OK.
grpc::Status ToRpcStatus(const absl::Status& status);

}  // namespace volcrypt
