#pragma once

#include <string>

namespace volcrypt {

// Somebody listens at the helper's socket. Never waits: a helper with a full queue is there.
bool HelperListens(const std::string& socket_path);

}  // namespace volcrypt
