#include "agent/rpc/unix_listener.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

namespace volcrypt {

absl::StatusOr<std::unique_ptr<UnixListener>> UnixListener::Start(std::vector<ApiSocket> sockets,
                                                                  OnConnection on_connection) {
  UniqueFd wake_event(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake_event.IsValid()) return absl::InternalError(absl::StrCat("eventfd: ", strerror(errno)));
  // The constructor is private, which std::make_unique cannot reach.
  return std::unique_ptr<UnixListener>(
      new UnixListener(std::move(sockets), std::move(on_connection), std::move(wake_event)));
}

UnixListener::UnixListener(std::vector<ApiSocket> sockets, OnConnection on_connection, UniqueFd wake_event)
    : sockets_(std::move(sockets)),
      on_connection_(std::move(on_connection)),
      wake_event_(std::move(wake_event)),
      thread_([this] { AcceptUntilStopped(); }) {}

void UnixListener::WakeUp() {
  const uint64_t one = 1;
  // Cannot fail: the counter is far from its limit.
  [[maybe_unused]] const ssize_t written = write(wake_event_.Get(), &one, sizeof one);
}

void UnixListener::Post(std::function<void()> work) {
  const std::lock_guard lock(mutex_);
  if (stopping_) return;
  posted_.push_back(std::move(work));
  WakeUp();
}

void UnixListener::Stop() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    WakeUp();
  }
  thread_.join();
  sockets_.clear();
}

bool UnixListener::HandleWakeUp() {
  uint64_t count = 0;
  [[maybe_unused]] const ssize_t got = read(wake_event_.Get(), &count, sizeof count);
  std::vector<std::function<void()>> posted;
  {
    const std::lock_guard lock(mutex_);
    posted.swap(posted_);
    if (stopping_) return false;
  }
  for (const std::function<void()>& work : posted) work();
  return true;
}

void UnixListener::AcceptUntilStopped() {
  constexpr int kPauseMilliseconds = 100;
  std::vector<pollfd> waits = {{.fd = wake_event_.Get(), .events = POLLIN, .revents = 0}};
  for (const ApiSocket& socket : sockets_) waits.push_back({.fd = socket.Fd(), .events = POLLIN, .revents = 0});
  while (waits[0].revents == 0 || HandleWakeUp()) {
    if (poll(waits.data(), waits.size(), -1) < 0) {
      waits[0].revents = 0;
      continue;
    }
    bool has_room = true;
    for (size_t i = 1; i < waits.size(); ++i) {
      if (waits[i].revents != 0) has_room = AcceptAll(waits[i].fd) && has_room;
    }
    // The connection stays in the queue and would wake us at once; wait until others have closed.
    if (!has_room) poll(waits.data(), 1, kPauseMilliseconds);
  }
}

bool UnixListener::AcceptAll(int listening_fd) {
  for (;;) {
    UniqueFd connection(accept4(listening_fd, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (connection.IsValid()) {
      on_connection_(std::move(connection));
    } else if (errno != EINTR && errno != ECONNABORTED) {
      return errno == EAGAIN;
    }
  }
}

}  // namespace volcrypt
