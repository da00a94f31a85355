#pragma once

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>

#include "encryptors/unique_fd.h"

namespace volcrypt {

// A semaphore that forked processes share, for holding a worker at a point and for knowing that it got there.
class SharedSemaphore {
 public:
  SharedSemaphore() : fd_(eventfd(0, EFD_SEMAPHORE | EFD_NONBLOCK | EFD_CLOEXEC)) {}

  void Post(uint64_t count = 1) const {
    const ssize_t written = write(fd_.Get(), &count, sizeof(count));
    static_cast<void>(written);
  }

  // False after half a minute: only a failing test waits that long.
  bool Wait() const { return WaitFor(30'000); }
  bool WaitFor(int milliseconds) const {
    while (true) {
      uint64_t taken = 0;
      if (read(fd_.Get(), &taken, sizeof(taken)) == static_cast<ssize_t>(sizeof(taken))) return true;
      pollfd poll_fd = {.fd = fd_.Get(), .events = POLLIN, .revents = 0};
      if (poll(&poll_fd, 1, milliseconds) <= 0) return false;
    }
  }

 private:
  UniqueFd fd_;
};

}  // namespace volcrypt
