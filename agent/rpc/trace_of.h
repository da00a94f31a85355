#pragma once

#include <grpcpp/support/string_ref.h>

#include <map>

#include "agent/keys/request_trace.h"

namespace volcrypt {

// The metadata by which callers name their request. The answer has the first of them, whoever chose the id.
inline constexpr char kRequestIdMetadata[] = "x-openstack-request-id";
inline constexpr char kOtherRequestIdMetadata[] = "x-request-id";
inline constexpr char kTraceparentMetadata[] = "traceparent";

// From a call's metadata. A request without an id, or with one that is no id (1 to 64 letters, digits, '-', '_', '.'),
// gets a fresh one. A traceparent that is not as W3C Trace Context (www.w3.org/TR/trace-context, 3.2) wants it is left
// out, as it demands.
RequestTrace TraceOf(const std::multimap<grpc::string_ref, grpc::string_ref>& metadata);

}  // namespace volcrypt
