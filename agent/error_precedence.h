#pragma once

#include "absl/status/status.h"

namespace volcrypt {

// Errors have an order: request, caller, attachment state, device, header, key, kernel. The key manager is asked before
// the device is looked at, so an error of its own is kept until the device has had its say, unless it is about the
// request or its caller.
bool ComesBeforeDevice(const absl::Status& key_error);

}  // namespace volcrypt
