#pragma once

#include <sys/socket.h>

#include <optional>
#include <string>

namespace volcrypt {

// Where only this host can connect: 127.0.0.0/8 or ::1, and a port.
struct LoopbackAddress {
  sockaddr_storage address = {};
  socklen_t size = 0;
};

// "127.0.0.1:9464" or "[::1]:9464"; nothing for any other text, names of hosts included.
std::optional<LoopbackAddress> ParseLoopbackAddress(const std::string& text);

}  // namespace volcrypt
