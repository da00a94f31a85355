#pragma once

#include "encryptors/unique_fd.h"

namespace volcrypt {

// Hands an open descriptor to the process at the other end of a Unix socket (unix(7), SCM_RIGHTS); the caller's own
// stays open. Never waits. False when the other end is gone or its buffer is full.
bool SendDescriptor(int channel, int descriptor);

// Waits for a descriptor. Invalid when the other end was closed without sending one.
UniqueFd ReceiveDescriptor(int channel);

}  // namespace volcrypt
