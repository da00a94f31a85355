#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "encryptors/unique_fd.h"

namespace volcrypt {

// A listening Unix socket and, when we made it, its file.
class ApiSocket {
 public:
  // Binds to `path` with mode 0660. A socket file on which nobody listens any more is replaced; one on which somebody
  // does, or any other file, is an error. The directory must exist. The file's group is the process's own.
  static absl::StatusOr<ApiSocket> Bind(const std::string& path);

  // The sockets that systemd passed (LISTEN_FDS); none when it passed none. Their files are systemd's. To be asked
  // once, before there are threads.
  static absl::StatusOr<std::vector<ApiSocket>> FromSystemd();

  ApiSocket(ApiSocket&&) noexcept = default;
  ApiSocket& operator=(ApiSocket&&) = delete;
  ApiSocket(const ApiSocket&) = delete;
  ApiSocket& operator=(const ApiSocket&) = delete;
  // Closes it and removes the file that Bind made, unless another has taken its place.
  ~ApiSocket();

  int Fd() const { return fd_.Get(); }
  const std::string& Name() const { return name_; }

 private:
  ApiSocket(UniqueFd fd, std::string name) : fd_(std::move(fd)), name_(std::move(name)) {}

  UniqueFd fd_;
  std::string name_;   // for people
  bool ours_ = false;  // the file is to be removed
  dev_t device_ = 0;   // of the file, when it is ours
  ino_t inode_ = 0;
};

}  // namespace volcrypt
