#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/rpc/api_socket.h"
#include "encryptors/unique_fd.h"

namespace volcrypt {

// Accepts connections on Unix sockets in a thread of its own and hands each, non-blocking and close-on-exec, to a
// function. gRPC's own Unix listeners do not say who connects.
class UnixListener {
 public:
  using OnConnection = std::function<void(UniqueFd)>;

  static absl::StatusOr<std::unique_ptr<UnixListener>> Start(std::vector<ApiSocket> sockets,
                                                             OnConnection on_connection);
  UnixListener(const UnixListener&) = delete;
  UnixListener& operator=(const UnixListener&) = delete;
  ~UnixListener() { Stop(); }

  // Has the thread that accepts do this too. Dropped when the listener has stopped.
  void Post(std::function<void()> work);

  // Takes no more connections, and closes and removes the sockets. May be called again.
  void Stop();

 private:
  UnixListener(std::vector<ApiSocket> sockets, OnConnection on_connection, UniqueFd wake_event);
  void AcceptUntilStopped();
  // What to do when the thread was woken. False: end.
  bool HandleWakeUp();
  void WakeUp();
  // False when the process is short of descriptors or memory.
  bool AcceptAll(int listening_fd);

  std::vector<ApiSocket> sockets_;
  const OnConnection on_connection_;
  const UniqueFd wake_event_;
  std::mutex mutex_;
  bool stopping_ = false;
  std::vector<std::function<void()>> posted_;
  std::thread thread_;
};

}  // namespace volcrypt
