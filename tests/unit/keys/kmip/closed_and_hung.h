// Servers that are not there: one whose port nobody listens on, one that accepts and then says nothing.
#pragma once

#include <arpa/inet.h>
#include <sys/socket.h>

#include <cstdint>
#include <cstdlib>
#include <string>

#include "encryptors/unique_fd.h"

namespace volcrypt {

// A socket bound to a free port of 127.0.0.1.
class BoundPort {
 public:
  BoundPort() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    if (bind(fd_.Get(), reinterpret_cast<const sockaddr*>(&address), size) != 0 ||
        getsockname(fd_.Get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
      std::abort();
    }
    port_ = ntohs(address.sin_port);
  }

  std::string Address() const { return "localhost:" + std::to_string(port_); }
  int Fd() const { return fd_.Get(); }

 private:
  UniqueFd fd_;
  uint16_t port_ = 0;
};

// Connections to it are refused, as long as it lives.
using ClosedServer = BoundPort;

// The kernel accepts connections to it, and nobody ever answers.
class HungServer : public BoundPort {
 public:
  HungServer() {
    if (listen(Fd(), SOMAXCONN) != 0) std::abort();
  }

  // Connections since the last count.
  int CountConnections() {
    int count = 0;
    while (UniqueFd(accept4(Fd(), nullptr, nullptr, SOCK_CLOEXEC)).IsValid()) ++count;
    return count;
  }
};

}  // namespace volcrypt
