#pragma once

#include <sys/socket.h>

#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/keys/kmip/kmip_endpoint.h"

namespace volcrypt {

struct SocketAddress {
  sockaddr_storage address = {};
  socklen_t size = 0;
};

// The addresses of the endpoint's host, with its port, in the system's order; at most 8. The system's look-up cannot be
// interrupted, so it runs in a thread of its own that is left behind when it does not end by the deadline; only so many
// may be left behind at a time. KEY_MANAGER_UNAVAILABLE, KEY_MANAGER_TIMED_OUT.
absl::StatusOr<std::vector<SocketAddress>> ResolveHost(const KmipEndpoint& endpoint, absl::Time deadline);

}  // namespace volcrypt
