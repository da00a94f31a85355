// The wire between agent and worker: request frame, key frame, reply frame, each a 4-byte big-endian length and that
// many bytes. The key frame is raw and goes straight from and into SecretBytes; it is empty when there is no key.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "encryptors/secret_bytes.h"

namespace volcrypt {

// Requests and replies; the largest reply is an inspection with 32 keyslots and some signatures.
inline constexpr size_t kMaxFrameBytes = size_t{64} * 1024;

// Every call waits for the socket until the deadline. Errors: kDeadlineExceeded, kUnavailable (the peer closed or
// reset), kInvalidArgument (longer than allowed, or cut in the middle); without a reason: the two ends give them one.
absl::Status WriteFrame(int socket, std::string_view bytes, absl::Time deadline);
absl::StatusOr<std::string> ReadFrame(int socket, absl::Time deadline);

absl::Status WriteSecretFrame(int socket, const SecretBytes& secret, absl::Time deadline);
absl::StatusOr<SecretBytes> ReadSecretFrame(int socket, absl::Time deadline);

// True once the peer has closed its end: nobody waits for the answer any more.
bool PeerHasGone(int socket);

}  // namespace volcrypt
