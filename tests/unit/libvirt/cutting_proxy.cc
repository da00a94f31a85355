#include "tests/unit/libvirt/cutting_proxy.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>
#include <vector>

namespace volcrypt {
namespace {

// https://libvirt.org/kbase/internals/rpc.html: length (with itself), program, version, procedure, type, serial,
// status.
constexpr size_t kHeaderBytes = 28;
constexpr uint32_t kKeepaliveProgram = 0x6b656570;
constexpr size_t kMaxMessageBytes = size_t{1} << 20;
constexpr int kTickMilliseconds = 20;

sockaddr_un AddressOf(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) std::abort();
  path.copy(address.sun_path, path.size());
  return address;
}

int Connect(const std::string& path) {
  const sockaddr_un address = AddressOf(path);
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) return fd;
  close(fd);
  return -1;
}

bool ReadAll(int fd, uint8_t* bytes, size_t size) {
  return size == 0 || recv(fd, bytes, size, MSG_WAITALL) == static_cast<ssize_t>(size);
}

uint32_t WordAt(const std::vector<uint8_t>& message, size_t offset) {
  uint32_t word = 0;
  memcpy(&word, message.data() + offset, sizeof(word));
  return ntohl(word);
}

// A whole message; empty at the end.
std::vector<uint8_t> ReadMessage(int fd) {
  std::vector<uint8_t> message(kHeaderBytes);
  if (!ReadAll(fd, message.data(), kHeaderBytes)) return {};
  const size_t size = WordAt(message, 0);
  if (size < kHeaderBytes || size > kMaxMessageBytes) return {};
  message.resize(size);
  if (!ReadAll(fd, message.data() + kHeaderBytes, size - kHeaderBytes)) return {};
  return message;
}

bool WriteAll(int fd, const std::vector<uint8_t>& message) {
  return send(fd, message.data(), message.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(message.size());
}

}  // namespace

CuttingProxy::CuttingProxy(std::string path, std::string libvirtd_path, int messages)
    : path_(std::move(path)), libvirtd_path_(std::move(libvirtd_path)), messages_(messages) {
  unlink(path_.c_str());
  const sockaddr_un address = AddressOf(path_);
  listener_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 || listen(listener_, 4) != 0) {
    perror(path_.c_str());
    std::abort();
  }
  thread_ = std::thread([this] { Serve(); });
}

CuttingProxy::~CuttingProxy() {
  ending_ = true;
  thread_.join();
  close(listener_);
  unlink(path_.c_str());
}

void CuttingProxy::Serve() {
  while (!ending_) {
    pollfd waiting{.fd = listener_, .events = POLLIN, .revents = 0};
    if (poll(&waiting, 1, kTickMilliseconds) != 1) continue;
    const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    const int daemon = refuses_ ? -1 : Connect(libvirtd_path_);
    if (client >= 0 && daemon >= 0) Relay(client, daemon);
    if (client >= 0) close(client);
    if (daemon >= 0) close(daemon);
  }
}

void CuttingProxy::Relay(int client, int daemon) {
  int left = has_cut_ ? -1 : messages_;
  while (!ending_) {
    std::array<pollfd, 2> ends = {pollfd{.fd = client, .events = POLLIN, .revents = 0},
                                  pollfd{.fd = daemon, .events = POLLIN, .revents = 0}};
    if (poll(ends.data(), ends.size(), kTickMilliseconds) <= 0) continue;
    if (ends[0].revents != 0) {
      const std::vector<uint8_t> message = ReadMessage(client);
      if (message.empty()) return;
      const bool counts = WordAt(message, 4) != kKeepaliveProgram;
      if (left == 0 && counts) {
        has_cut_ = true;
        return;
      }
      if (!WriteAll(daemon, message)) return;
      if (counts && left > 0 && --left == 0) {
        // libvirtd has done what was asked once its answer is there.
        ReadMessage(daemon);
        has_cut_ = true;
        return;
      }
    }
    if (ends[1].revents != 0) {
      const std::vector<uint8_t> message = ReadMessage(daemon);
      if (message.empty() || !WriteAll(client, message)) return;
    }
  }
}

}  // namespace volcrypt
