#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "encryptors/unique_fd.h"

namespace volcrypt {

// Both ends of a connection of the agent with itself. No path in the file system and no queue of a listening socket
// comes in between, which others could spoil.
struct SelfConnection {
  UniqueFd server_end;
  UniqueFd client_end;
};
absl::StatusOr<SelfConnection> NewSelfConnection();

// GetInfo over that connection. OK when the server answers at all: one that is busy to its limits lives.
absl::Status CallOver(UniqueFd client_end, absl::Duration timeout);

}  // namespace volcrypt
