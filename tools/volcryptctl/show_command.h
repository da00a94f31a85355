#pragma once

#include "CLI/CLI.hpp"
#include "tools/volcryptctl/session.h"

namespace volcrypt::ctl {

void AddShowCommand(CLI::App& root, Command& selected);

}  // namespace volcrypt::ctl
