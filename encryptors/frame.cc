#include "encryptors/frame.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace volcrypt {
namespace {

using Header = std::array<uint8_t, 4>;

Header EncodeLength(size_t length) {
  return {static_cast<uint8_t>(length >> 24), static_cast<uint8_t>(length >> 16), static_cast<uint8_t>(length >> 8),
          static_cast<uint8_t>(length)};
}

size_t DecodeLength(const Header& header) {
  return (size_t{header[0]} << 24) | (size_t{header[1]} << 16) | (size_t{header[2]} << 8) | size_t{header[3]};
}

// Returns OK when the socket is ready for `events` or has an error that the next call will report.
absl::Status WaitFor(int socket, short events, absl::Time deadline) {
  while (true) {
    const int64_t left = absl::ToInt64Milliseconds(absl::Ceil(deadline - absl::Now(), absl::Milliseconds(1)));
    if (left <= 0) return absl::DeadlineExceededError("the peer did not answer in time");
    pollfd poll_fd = {.fd = socket, .events = events, .revents = 0};
    const int ready = poll(&poll_fd, 1, static_cast<int>(std::min<int64_t>(left, 3'600'000)));
    if (ready > 0) return absl::OkStatus();
    if (ready < 0 && errno != EINTR) return absl::UnavailableError(absl::StrCat("poll: ", strerror(errno)));
  }
}

absl::Status SendAll(int socket, std::span<const uint8_t> bytes, absl::Time deadline) {
  while (!bytes.empty()) {
    if (absl::Status status = WaitFor(socket, POLLOUT, deadline); !status.ok()) return status;
    const ssize_t sent = send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) {
      bytes = bytes.subspan(static_cast<size_t>(sent));
    } else if (errno != EINTR && errno != EAGAIN) {
      return absl::UnavailableError(absl::StrCat("the peer is gone: ", strerror(errno)));
    }
  }
  return absl::OkStatus();
}

absl::Status ReceiveAll(int socket, std::span<uint8_t> bytes, absl::Time deadline) {
  bool begun = false;
  while (!bytes.empty()) {
    if (absl::Status status = WaitFor(socket, POLLIN, deadline); !status.ok()) return status;
    const ssize_t got = recv(socket, bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (got > 0) {
      begun = true;
      bytes = bytes.subspan(static_cast<size_t>(got));
    } else if (got == 0) {
      return begun ? absl::InvalidArgumentError("the peer closed in the middle of a frame")
                   : absl::UnavailableError("the peer closed the connection");
    } else if (errno != EINTR && errno != EAGAIN) {
      return absl::UnavailableError(absl::StrCat("the peer is gone: ", strerror(errno)));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<size_t> ReceiveLength(int socket, size_t limit, absl::Time deadline) {
  Header header;
  if (absl::Status status = ReceiveAll(socket, header, deadline); !status.ok()) return status;
  const size_t length = DecodeLength(header);
  if (length > limit) return absl::InvalidArgumentError(absl::StrCat("a frame of ", length, " bytes is too long"));
  return length;
}

std::span<const uint8_t> AsBytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

// Once a length has arrived, an end of the stream is a cut frame whatever has come of the body.
absl::Status CutInBody(const absl::Status& status) {
  return absl::IsUnavailable(status) ? absl::InvalidArgumentError(status.message()) : status;
}

}  // namespace

absl::Status WriteFrame(int socket, std::string_view bytes, absl::Time deadline) {
  if (bytes.size() > kMaxFrameBytes) return absl::InvalidArgumentError("the frame is too long");
  if (absl::Status status = SendAll(socket, EncodeLength(bytes.size()), deadline); !status.ok()) return status;
  return SendAll(socket, AsBytes(bytes), deadline);
}

absl::StatusOr<std::string> ReadFrame(int socket, absl::Time deadline) {
  const absl::StatusOr<size_t> length = ReceiveLength(socket, kMaxFrameBytes, deadline);
  if (!length.ok()) return length.status();
  std::string bytes(*length, '\0');
  const absl::Status status = ReceiveAll(socket, {reinterpret_cast<uint8_t*>(bytes.data()), bytes.size()}, deadline);
  if (!status.ok()) return CutInBody(status);
  return bytes;
}

absl::Status WriteSecretFrame(int socket, const SecretBytes& secret, absl::Time deadline) {
  if (absl::Status status = SendAll(socket, EncodeLength(secret.Size()), deadline); !status.ok()) return status;
  return SendAll(socket, secret.Bytes(), deadline);
}

absl::StatusOr<SecretBytes> ReadSecretFrame(int socket, absl::Time deadline) {
  const absl::StatusOr<size_t> length = ReceiveLength(socket, SecretBytes::kMaxSize, deadline);
  if (!length.ok()) return length.status();
  absl::StatusOr<SecretBytes> secret = SecretBytes::Allocate(*length);
  if (!secret.ok()) return secret;
  const absl::Status status = ReceiveAll(socket, secret->Bytes(), deadline);
  if (!status.ok()) return CutInBody(status);
  return secret;
}

bool PeerHasGone(int socket) {
  pollfd poll_fd = {.fd = socket, .events = POLLRDHUP, .revents = 0};
  return poll(&poll_fd, 1, 0) > 0 && (poll_fd.revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL)) != 0;
}

}  // namespace volcrypt
