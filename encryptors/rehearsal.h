#pragma once

#include "encryptors/encryptor.h"

namespace volcrypt {

// Serves a request that must be refused, an attach of /dev/null, the whole way from its frames to the reply. A process
// does many things more slowly the first time; a worker that waits for its connection gets them over with like this.
void RehearseOperation(Encryptor& encryptor);

}  // namespace volcrypt
