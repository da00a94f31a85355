#include "agent/rpc/api_socket.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"

namespace volcrypt {
namespace {

constexpr mode_t kSocketMode = 0660;

absl::Status ErrnoError(const std::string& path, const std::string& what, int error) {
  return absl::FailedPreconditionError(absl::StrCat(path, ": ", what, ": ", strerror(error)));
}

std::optional<sockaddr_un> AddressOf(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) return std::nullopt;
  path.copy(address.sun_path, path.size());
  return address;
}

UniqueFd NewSocket() { return UniqueFd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)); }

// Held while we look whether somebody listens, remove the stale file and bind: two agents that start at the same time
// must not remove each other's socket.
absl::StatusOr<UniqueFd> LockDirectoryOf(const std::string& path) {
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  const std::string directory = parent.empty() ? std::string(".") : parent.string();
  UniqueFd fd(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.IsValid()) return ErrnoError(directory, "cannot open the socket's directory", errno);
  if (flock(fd.Get(), LOCK_EX) != 0) return ErrnoError(directory, "cannot lock the socket's directory", errno);
  return fd;
}

absl::Status RemoveStale(const std::string& path, const sockaddr_un& address) {
  struct stat status {};
  if (lstat(path.c_str(), &status) != 0) {
    return errno == ENOENT ? absl::OkStatus() : ErrnoError(path, "cannot look at it", errno);
  }
  if (!S_ISSOCK(status.st_mode)) {
    return absl::FailedPreconditionError(absl::StrCat(path, ": is there and is not a socket; it is left alone"));
  }
  const UniqueFd probe = NewSocket();
  if (!probe.IsValid()) return ErrnoError(path, "socket", errno);
  const int result = connect(probe.Get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  // EAGAIN: somebody listens and has much to do.
  if (result == 0 || errno == EAGAIN) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, ": another process listens there; is volcryptd running already?"));
  }
  if (errno != ECONNREFUSED) return ErrnoError(path, "cannot find out whether somebody listens there", errno);
  if (unlink(path.c_str()) != 0) return ErrnoError(path, "cannot remove the stale socket", errno);
  return absl::OkStatus();
}

// The mode is set before the file appears and the umask is out of the way, so that the file never has another mode and
// no path is followed twice. Start-up has one thread, so nobody else is affected by the umask.
int BindWithMode(int fd, const sockaddr_un& address) {
  if (fchmod(fd, kSocketMode) != 0) return errno;
  const mode_t old_umask = umask(0);
  const int error = bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ? 0 : errno;
  umask(old_umask);
  return error;
}

}  // namespace

absl::StatusOr<ApiSocket> ApiSocket::Bind(const std::string& path) {
  const std::optional<sockaddr_un> address = AddressOf(path);
  if (!address) return absl::FailedPreconditionError(absl::StrCat(path, ": too long for a socket's path"));
  const absl::StatusOr<UniqueFd> lock = LockDirectoryOf(path);
  if (!lock.ok()) return lock.status();
  if (absl::Status status = RemoveStale(path, *address); !status.ok()) return status;

  ApiSocket listening(NewSocket(), path);
  if (!listening.fd_.IsValid()) return ErrnoError(path, "socket", errno);
  if (const int error = BindWithMode(listening.Fd(), *address); error != 0) return ErrnoError(path, "bind", error);
  struct stat status {};
  if (lstat(path.c_str(), &status) != 0) return ErrnoError(path, "cannot look at it", errno);
  listening.ours_ = true;
  listening.device_ = status.st_dev;
  listening.inode_ = status.st_ino;
  if (listen(listening.Fd(), SOMAXCONN) != 0) return ErrnoError(path, "listen", errno);
  return listening;
}

absl::StatusOr<std::vector<ApiSocket>> ApiSocket::FromSystemd() {
  std::vector<ApiSocket> sockets;
  const int count = sd_listen_fds(/*unset_environment=*/1);
  if (count < 0) return absl::InternalError(absl::StrCat("LISTEN_FDS: ", strerror(-count)));
  for (int fd = SD_LISTEN_FDS_START; fd < SD_LISTEN_FDS_START + count; ++fd) {
    ApiSocket passed(UniqueFd(fd), absl::StrCat("descriptor ", fd, " from systemd"));
    if (sd_is_socket_unix(fd, SOCK_STREAM, /*listening=*/1, nullptr, 0) <= 0) {
      return absl::FailedPreconditionError(absl::StrCat(passed.Name(), ": not a listening Unix stream socket"));
    }
    if (const int flags = fcntl(fd, F_GETFL); flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) {
      return ErrnoError(passed.Name(), "fcntl", errno);
    }
    sockets.push_back(std::move(passed));
  }
  return sockets;
}

ApiSocket::~ApiSocket() {
  if (!fd_.IsValid() || !ours_) return;
  struct stat status {};
  if (lstat(name_.c_str(), &status) != 0 || status.st_dev != device_ || status.st_ino != inode_) return;
  unlink(name_.c_str());
}

}  // namespace volcrypt
