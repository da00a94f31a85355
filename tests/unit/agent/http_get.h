#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <string>

#include "encryptors/unique_fd.h"

namespace volcrypt {

inline sockaddr_in Loopback(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// A port of 127.0.0.1 that was free. No other program is given it as long as this lives, while one that asks for it by
// number and sets SO_REUSEADDR, as servers do, may listen there.
class ReservedPort {
 public:
  ReservedPort() {
    const int on = 1;
    sockaddr_in address = Loopback(0);
    socklen_t size = sizeof address;
    auto* const name = reinterpret_cast<sockaddr*>(&address);
    if (setsockopt(fd_.Get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 && bind(fd_.Get(), name, size) == 0 &&
        getsockname(fd_.Get(), name, &size) == 0) {
      number_ = ntohs(address.sin_port);
    }
  }
  uint16_t Number() const { return number_; }

 protected:
  int Fd() const { return fd_.Get(); }

 private:
  UniqueFd fd_{socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  uint16_t number_ = 0;
};

// One where somebody listens.
class TakenPort : public ReservedPort {
 public:
  TakenPort() { listen(Fd(), 1); }
};

// A connection over which this was sent; invalid when nobody listens.
inline UniqueFd SentTo(uint16_t port, const std::string& request) {
  UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in address = Loopback(port);
  if (connect(fd.Get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      write(fd.Get(), request.data(), request.size()) != static_cast<ssize_t>(request.size())) {
    fd.Reset();
  }
  return fd;
}

// The whole answer, head and body; empty when nobody listens.
inline std::string HttpGet(uint16_t port, const std::string& path) {
  const UniqueFd fd = SentTo(port, "GET " + path + " HTTP/1.0\r\nHost: localhost\r\n\r\n");
  if (!fd.IsValid()) return "";
  std::string answer;
  std::array<char, 4096> buffer{};
  for (ssize_t count = 0; (count = read(fd.Get(), buffer.data(), buffer.size())) > 0;) {
    answer.append(buffer.data(), static_cast<size_t>(count));
  }
  return answer;
}

}  // namespace volcrypt
