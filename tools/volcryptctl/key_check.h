#pragma once

#include <string>

#include "absl/status/status.h"
#include "tools/volcryptctl/session.h"

namespace volcrypt::ctl {

// Prints what a key manager's use needs, step by step. When one failed the result is the error that names it, with the
// step's reason.
absl::Status CheckKeyManager(const std::string& key_manager, Session& session);

}  // namespace volcrypt::ctl
