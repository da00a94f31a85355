#include "agent/keys/kmip/tcp_socket.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "encryptors/reason.h"

namespace volcrypt {
namespace {

// Poll counts milliseconds in an int; a longer wait is made of several.
constexpr absl::Duration kLongestPoll = absl::Hours(1);

absl::Status TimedOut() { return MakeError(Reason::kKeyManagerTimedOut, "the server did not answer in time"); }

absl::Status Failed(int error_number) {
  return MakeError(Reason::kKeyManagerUnavailable,
                   absl::StrCat("cannot connect: ", std::generic_category().message(error_number)));
}

absl::StatusOr<UniqueFd> ConnectOne(const SocketAddress& to, absl::Time deadline) {
  UniqueFd fd(socket(to.address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.IsValid()) return Failed(errno);
  // A request is one short message, and its answer is waited for.
  const int on = 1;
  setsockopt(fd.Get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (connect(fd.Get(), reinterpret_cast<const sockaddr*>(&to.address), to.size) == 0) return fd;
  if (errno != EINPROGRESS && errno != EINTR) return Failed(errno);
  if (absl::Status ready = WaitForSocket(fd.Get(), POLLOUT, deadline); !ready.ok()) return ready;
  int error = 0;
  socklen_t size = sizeof error;
  if (getsockopt(fd.Get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  if (error != 0) return Failed(error);
  return fd;
}

}  // namespace

absl::StatusOr<UniqueFd> ConnectTcp(const std::vector<SocketAddress>& addresses, absl::Time deadline) {
  absl::Status last = MakeError(Reason::kKeyManagerUnavailable, "the server has no address");
  for (size_t i = 0; i < addresses.size(); ++i) {
    const absl::Time now = absl::Now();
    const absl::Time share = now + (deadline - now) / static_cast<int64_t>(addresses.size() - i);
    absl::StatusOr<UniqueFd> fd = ConnectOne(addresses[i], share);
    if (fd.ok()) return fd;
    last = fd.status();
  }
  return last;
}

absl::Status WaitForSocket(int fd, short events, absl::Time deadline) {
  for (;;) {
    const absl::Duration left = deadline - absl::Now();
    if (left <= absl::ZeroDuration()) return TimedOut();
    pollfd wanted = {.fd = fd, .events = events, .revents = 0};
    const int64_t milliseconds = absl::ToInt64Milliseconds(std::min(left, kLongestPoll)) + 1;
    const int ready = poll(&wanted, 1, static_cast<int>(milliseconds));
    if (ready > 0) return absl::OkStatus();
    if (ready < 0 && errno != EINTR && errno != EAGAIN) {
      return MakeError(Reason::kKeyManagerUnavailable,
                       absl::StrCat("cannot wait for the server: ", std::generic_category().message(errno)));
    }
  }
}

}  // namespace volcrypt
