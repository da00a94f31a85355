#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <string>

#include "absl/status/statusor.h"
#include "encryptors/unique_fd.h"

namespace volcrypt {

// A listening Unix stream socket, non-blocking and closed on exec. Errors are for the person who starts the program
// and have no reason.
class ListeningSocket {
 public:
  // Binds `path`, mode 0600, owned by `owner`. What a dead predecessor left there is replaced; a socket at which
  // somebody still listens is not, nor is anything that is no socket.
  static absl::StatusOr<ListeningSocket> Create(const std::string& path, uid_t owner);
  // One that the parent process made.
  static absl::StatusOr<ListeningSocket> Adopt(int fd);
  // The only one that systemd passed (LISTEN_PID, LISTEN_FDS); kNotFound when it passed none.
  static absl::StatusOr<ListeningSocket> FromSystemd();

  int Fd() const { return fd_.Get(); }

  // Stops listening, and removes the path if Create() made it and it is still the same socket.
  void Close();
  // For a forked child: the parent goes on listening.
  void CloseInChild() { fd_.Reset(); }

 private:
  explicit ListeningSocket(UniqueFd fd) : fd_(std::move(fd)) {}

  UniqueFd fd_;
  std::string path_;  // empty: not ours to remove
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace volcrypt
