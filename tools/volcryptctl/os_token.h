#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace volcrypt::ctl {

// The caller's Keystone token, one line in a file or pipe. A USAGE error for what is no token, and for a file that
// others may read; it does not repeat the content. In this process the token is an ordinary string, as gRPC wants it.
absl::StatusOr<std::string> ReadOsToken(const std::string& path);

}  // namespace volcrypt::ctl
