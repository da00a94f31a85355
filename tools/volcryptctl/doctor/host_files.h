// Bounded reading of what the kernel and the system's files say.
#pragma once

#include <sys/stat.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace volcrypt::ctl {

inline constexpr size_t kMaxTextBytes = size_t{1} << 20;

// A regular file's text without its last newline, cut at `most` bytes. The error's code is that of errno.
absl::StatusOr<std::string> ReadText(const std::string& path, size_t most = kMaxTextBytes);

// In their order, at most some thousands.
absl::StatusOr<std::vector<std::string>> NamesIn(const std::string& directory);

absl::StatusOr<struct stat> StatusOf(const std::string& path);
bool Exists(const std::string& path);

}  // namespace volcrypt::ctl
