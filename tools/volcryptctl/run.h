#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "tools/volcryptctl/environment.h"

namespace volcrypt::ctl {

// The whole program behind main(): results to `out`, everything else to `err`; the result is the exit status. `args`
// without the program's name.
int RunVolcryptctl(const std::vector<std::string>& args, std::ostream& out, std::ostream& err,
                   const Environment& environment);

}  // namespace volcrypt::ctl
