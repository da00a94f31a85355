#pragma once

#include "tools/volcryptctl/command_app.h"

namespace volcrypt::ctl {

// key create, key show, key copy, key delete, key check.
void AddKeyCommand(const CommandApp& root, Command& selected);

}  // namespace volcrypt::ctl
