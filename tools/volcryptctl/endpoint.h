#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace volcrypt::ctl {

inline constexpr absl::string_view kDefaultEndpoint = "unix:/run/volcrypt/volcryptd.sock";

// "unix:PATH" with a path that fits into a socket address; this version speaks nothing else.
absl::Status CheckEndpoint(absl::string_view endpoint);

// Of a checked endpoint. gRPC knows unix:PATH and unix:///PATH.
absl::string_view SocketPathOf(absl::string_view endpoint);

// Connects and hangs up at once, without waiting: 0, or the errno of connect(2).
int ConnectErrno(absl::string_view path);

// Why a call found nobody at the endpoint, found out by connecting once more: gRPC says it only in free text.
absl::Status ExplainUnreachable(const std::string& endpoint, absl::string_view grpc_message);

// The explanation for one errno of connect(2); 0 means that it connected.
absl::Status UnreachableError(absl::string_view endpoint, int connect_errno, absl::string_view grpc_message);

}  // namespace volcrypt::ctl
