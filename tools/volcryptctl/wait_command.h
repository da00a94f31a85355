#pragma once

#include "tools/volcryptctl/command_app.h"

namespace volcrypt::ctl {

void AddWaitCommand(const CommandApp& root, Command& selected);

}  // namespace volcrypt::ctl
