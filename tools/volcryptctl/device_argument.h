#pragma once

#include <string>

namespace volcrypt::ctl {

// The agent takes absolute paths alone and has another current directory: a relative path is put behind ours, links in
// it unresolved. An empty one stays empty.
std::string AbsoluteDevice(const std::string& device);

}  // namespace volcrypt::ctl
