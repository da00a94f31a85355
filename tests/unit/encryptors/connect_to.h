#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <string>

#include "encryptors/unique_fd.h"

namespace volcrypt {

// A plain connection to the socket at this path; invalid when nobody listens there.
inline UniqueFd ConnectTo(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  path.copy(static_cast<char*>(address.sun_path), sizeof(address.sun_path) - 1);
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (connect(fd.Get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) fd.Reset();
  return fd;
}

}  // namespace volcrypt
