#pragma once

#include "CLI/CLI.hpp"
#include "tools/volcryptctl/session.h"

namespace volcrypt::ctl {

// key create, key show, key copy, key delete, key check.
void AddKeyCommand(CLI::App& root, Command& selected);

}  // namespace volcrypt::ctl
