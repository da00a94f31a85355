#include "tools/volcryptctl/endpoint.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "tools/volcryptctl/call_error.h"
#include "tools/volcryptctl/exit_status.h"

namespace volcrypt::ctl {
namespace {

constexpr absl::string_view kUnixScheme = "unix:";

}  // namespace

absl::string_view SocketPathOf(absl::string_view endpoint) {
  absl::string_view path = absl::StripPrefix(endpoint, kUnixScheme);
  if (absl::StartsWith(path, "//")) path.remove_prefix(2);
  return path;
}

int ConnectErrno(absl::string_view path) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return errno;
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  path.copy(static_cast<char*>(address.sun_path), sizeof(address.sun_path) - 1);
  const int error = ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0 ? 0 : errno;
  ::close(fd);
  return error;
}

absl::Status CheckEndpoint(absl::string_view endpoint) {
  if (!absl::StartsWith(endpoint, kUnixScheme) || SocketPathOf(endpoint).empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "endpoint '", endpoint, "' is not of the form unix:PATH; this version speaks to unix sockets only"));
  }
  if (SocketPathOf(endpoint).size() >= sizeof(sockaddr_un::sun_path)) {
    return absl::InvalidArgumentError(absl::StrCat("endpoint '", endpoint, "' is longer than a socket's path may be (",
                                                   sizeof(sockaddr_un::sun_path) - 1, " bytes)"));
  }
  return absl::OkStatus();
}

absl::Status ExplainUnreachable(const std::string& endpoint, absl::string_view grpc_message) {
  return UnreachableError(endpoint, ConnectErrno(SocketPathOf(endpoint)), grpc_message);
}

absl::Status UnreachableError(absl::string_view endpoint, int connect_errno, absl::string_view grpc_message) {
  switch (connect_errno) {
    case 0:
    case EAGAIN:
      return absl::UnavailableError(absl::StrCat("the connection to volcryptd at ", endpoint, " was lost (",
                                                 grpc_message, "); the work may still finish"));
    case EACCES:
    case EPERM:
      return absl::PermissionDeniedError(absl::StrCat(
          "no permission to connect to ", endpoint,
          ": become root or a member of the socket's group; which callers may do what is set by [[access]] "
          "in /etc/volcrypt/volcryptd.toml"));
    case ENOENT:
    case ECONNREFUSED:
      return OwnError(absl::StatusCode::kUnavailable, kUnreachableReason,
                      absl::StrCat("nothing listens at ", endpoint, " (", std::strerror(connect_errno),
                                   "): is volcryptd running (systemctl status volcryptd), and is this the endpoint in "
                                   "its [server] listen?"));
    default:
      return OwnError(absl::StatusCode::kUnavailable, kUnreachableReason,
                      absl::StrCat("cannot connect to ", endpoint, ": ", std::strerror(connect_errno)));
  }
}

}  // namespace volcrypt::ctl
