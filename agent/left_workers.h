#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

#include "encryptors/unique_fd.h"

namespace volcrypt {

// Workers of the helper that outlived the wait for them, most of them on a device that hangs. Each is known by its
// connection, which ends with it. Thread-safe.
class LeftWorkers {
 public:
  // As many as the helper lets hang (HelperOptions::max_abandoned); further ones are not counted.
  static constexpr size_t kMost = 1024;

  // Shuts the connection's writing end: worker and helper see that their caller has gone, as if it were closed.
  void Add(UniqueFd connection);
  // Those that live still.
  uint32_t Count();

 private:
  void DropEnded();

  std::mutex mutex_;
  std::vector<UniqueFd> connections_;  // under mutex_
};

}  // namespace volcrypt
