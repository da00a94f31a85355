// TCP with a deadline. Every socket is non-blocking.
#pragma once

#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/keys/kmip/host_addresses.h"
#include "encryptors/unique_fd.h"

namespace volcrypt {

// A connection to the first of the addresses that accepts one; each gets an equal share of the time that is left.
// KEY_MANAGER_UNAVAILABLE with what the last one said, KEY_MANAGER_TIMED_OUT.
absl::StatusOr<UniqueFd> ConnectTcp(const std::vector<SocketAddress>& addresses, absl::Time deadline);

// Waits until the socket can be read (POLLIN) or written (POLLOUT), or has failed, which reading or writing tells.
// KEY_MANAGER_TIMED_OUT.
absl::Status WaitForSocket(int fd, short events, absl::Time deadline);

}  // namespace volcrypt
