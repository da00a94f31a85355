#pragma once

#include "agent/log.h"

namespace volcrypt {

// Takes the errors that gRPC itself reports, failed TLS handshakes above all, into our log instead of letting it write
// lines of its own. At most one a second, with the number of those left out in between: whoever can connect can cause
// them. `log` outlives gRPC. Once, before the server starts.
void TakeGrpcLog(const Log& log);

}  // namespace volcrypt
