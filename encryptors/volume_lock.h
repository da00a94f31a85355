#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "encryptors/unique_fd.h"

namespace volcrypt {

// The right to change one volume on this host. It is a file lock of the worker's, so it lasts exactly as long as the
// worker lives: through uninterruptible sleep, and across restarts of agent and helper.
class VolumeLock {
 public:
  // OPERATION_IN_PROGRESS when another operation on the volume runs: not a queue. STATE_NOT_WRITABLE.
  static absl::StatusOr<VolumeLock> Take(const std::string& lock_dir, const std::string& volume_id);

 private:
  explicit VolumeLock(UniqueFd file) : file_(std::move(file)) {}
  UniqueFd file_;
};

}  // namespace volcrypt
