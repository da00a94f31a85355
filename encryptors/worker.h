#pragma once

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "encryptors/encryptor.h"

namespace volcrypt {

// How long a worker waits for its peer; how long the work may take is up to the request.
struct WorkerTimeouts {
  absl::Duration request = absl::Seconds(10);  // request and key frame together
  absl::Duration reply = absl::Seconds(10);
};

// The one operation of a connection: reads request and key, checks every field, asks the encryptor and answers. Any
// failure is answered as far as the peer still listens. The socket stays the caller's.
void ServeOperation(int socket, Encryptor& encryptor, const WorkerTimeouts& timeouts = {});

// Answers a connection without serving it.
absl::Status WriteErrorReply(int socket, const absl::Status& error, absl::Time deadline);

}  // namespace volcrypt
