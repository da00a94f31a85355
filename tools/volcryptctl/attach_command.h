#pragma once

#include "CLI/CLI.hpp"
#include "tools/volcryptctl/session.h"

namespace volcrypt::ctl {

void AddAttachCommand(CLI::App& root, Command& selected);

}  // namespace volcrypt::ctl
