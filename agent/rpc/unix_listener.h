#pragma once

#include <functional>
#include <memory>
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

  // Takes no more connections, and closes and removes the sockets. May be called again.
  void Stop();

 private:
  UnixListener(std::vector<ApiSocket> sockets, OnConnection on_connection, UniqueFd stop_event);
  void AcceptUntilStopped();
  // False when the process is short of descriptors or memory.
  bool AcceptAll(int listening_fd);

  std::vector<ApiSocket> sockets_;
  const OnConnection on_connection_;
  const UniqueFd stop_event_;
  std::thread thread_;
};

}  // namespace volcrypt
