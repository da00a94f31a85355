#pragma once

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "encryptors/encryptor.h"

namespace volcrypt {

// OK when a worker of the helper answers a question that touches no device, or the helper says that it has no room for
// one. That somebody listens would prove nothing: systemd holds the socket of a helper that is down.
// HELPER_UNAVAILABLE, DEVICE_TIMED_OUT, WORKER_FAILED.
absl::Status ProbeHelper(Encryptor& helper, absl::Time deadline);

}  // namespace volcrypt
