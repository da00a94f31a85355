#pragma once

#include <string>
#include <vector>

#include "agent/config.h"

namespace volcrypt {

// The settings in which the two differ and that a running agent cannot take over, for the log: "server.listen".
std::vector<std::string> NeedRestart(const Config& running, const Config& fresh);

}  // namespace volcrypt
