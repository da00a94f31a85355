#include "encryptors/listening_socket.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace volcrypt {
namespace {

constexpr int kBacklog = 128;
constexpr int kFirstSystemdFd = 3;

absl::Status Failed(const std::string& what) {
  return absl::FailedPreconditionError(absl::StrCat(what, ": ", strerror(errno)));
}

absl::StatusOr<sockaddr_un> AddressOf(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path)) {
    return absl::InvalidArgumentError(
        absl::StrCat("socket path \"", path, "\" must have 1 to ", sizeof(address.sun_path) - 1, " characters"));
  }
  memcpy(static_cast<char*>(address.sun_path), path.data(), path.size());
  return address;
}

bool SomebodyListens(const sockaddr_un& address) {
  const UniqueFd probe(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  // EAGAIN: the backlog is full, so there is a listener.
  return connect(probe.Get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0 || errno == EAGAIN;
}

absl::Status RemoveLeftover(const std::string& path, const sockaddr_un& address) {
  struct stat found = {};
  if (lstat(path.c_str(), &found) != 0) return errno == ENOENT ? absl::OkStatus() : Failed(path);
  if (!S_ISSOCK(found.st_mode)) {
    return absl::FailedPreconditionError(absl::StrCat(path, " exists and is not a socket; remove it or name another"));
  }
  if (SomebodyListens(address)) {
    return absl::FailedPreconditionError(absl::StrCat("another program already listens at ", path, "; stop it first"));
  }
  return unlink(path.c_str()) == 0 ? absl::OkStatus() : Failed(absl::StrCat("removing the old ", path));
}

// Created with the mode that it must have, never wider for a moment.
absl::Status BindPrivately(int fd, const std::string& path, const sockaddr_un& address) {
  const mode_t previous = umask(0177);
  const int bound = bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  const int error = errno;
  umask(previous);
  errno = error;
  return bound == 0 ? absl::OkStatus() : Failed(absl::StrCat("creating ", path));
}

}  // namespace

absl::StatusOr<ListeningSocket> ListeningSocket::Create(const std::string& path, uid_t owner) {
  const absl::StatusOr<sockaddr_un> address = AddressOf(path);
  if (!address.ok()) return address.status();
  if (absl::Status status = RemoveLeftover(path, *address); !status.ok()) return status;

  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.IsValid()) return Failed("socket");
  if (absl::Status status = BindPrivately(fd.Get(), path, *address); !status.ok()) return status;
  struct stat made = {};
  if (lchown(path.c_str(), owner, static_cast<gid_t>(-1)) != 0) return Failed(absl::StrCat("giving away ", path));
  if (lstat(path.c_str(), &made) != 0) return Failed(path);
  if (listen(fd.Get(), kBacklog) != 0) return Failed(absl::StrCat("listening at ", path));

  ListeningSocket listener(std::move(fd));
  listener.path_ = path;
  listener.device_ = made.st_dev;
  listener.inode_ = made.st_ino;
  return listener;
}

absl::StatusOr<ListeningSocket> ListeningSocket::Adopt(int fd) {
  int listening = 0;
  int domain = 0;
  int type = 0;
  socklen_t size = sizeof(int);
  const bool fits = getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0 && listening != 0 &&
                    getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_UNIX &&
                    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM;
  if (!fits) {
    return absl::InvalidArgumentError(absl::StrCat("file descriptor ", fd, " is not a listening Unix stream socket"));
  }
  UniqueFd owned(fd);
  const int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
    return Failed(absl::StrCat("file descriptor ", fd));
  }
  return ListeningSocket(std::move(owned));
}

absl::StatusOr<ListeningSocket> ListeningSocket::FromSystemd() {
  const char* const pid = getenv("LISTEN_PID");
  const char* const count = getenv("LISTEN_FDS");
  int listen_pid = 0;
  if (pid == nullptr || count == nullptr || !absl::SimpleAtoi(pid, &listen_pid) || listen_pid != getpid()) {
    return absl::NotFoundError("no socket was passed by systemd");
  }
  if (std::string_view(count) != "1") {
    return absl::InvalidArgumentError(absl::StrCat("systemd passed ", count, " sockets; the unit must have one"));
  }
  return Adopt(kFirstSystemdFd);
}

void ListeningSocket::Close() {
  fd_.Reset();
  struct stat found = {};
  if (!path_.empty() && lstat(path_.c_str(), &found) == 0 && found.st_dev == device_ && found.st_ino == inode_) {
    unlink(path_.c_str());
  }
  path_.clear();
}

}  // namespace volcrypt
