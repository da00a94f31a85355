#include "agent/left_workers.h"

#include <poll.h>
#include <sys/socket.h>

#include <utility>

namespace volcrypt {

void LeftWorkers::Add(UniqueFd connection) {
  if (shutdown(connection.Get(), SHUT_WR) != 0) return;
  const std::lock_guard lock(mutex_);
  DropEnded();
  if (connections_.size() < kMost) connections_.push_back(std::move(connection));
}

uint32_t LeftWorkers::Count() {
  const std::lock_guard lock(mutex_);
  DropEnded();
  return static_cast<uint32_t>(connections_.size());
}

// The worker's end is closed once it, and the helper that gave it the connection, are done with it. What it answered
// before is of no interest to anybody.
void LeftWorkers::DropEnded() {
  std::erase_if(connections_, [](const UniqueFd& connection) {
    pollfd ended = {.fd = connection.Get(), .events = 0, .revents = 0};
    return poll(&ended, 1, 0) > 0;
  });
}

}  // namespace volcrypt
