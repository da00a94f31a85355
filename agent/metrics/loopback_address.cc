#include "agent/metrics/loopback_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"

namespace volcrypt {
namespace {

constexpr size_t kMaxPortDigits = 5;
constexpr uint32_t kMaxPort = 65535;

// In the network's byte order.
std::optional<in_port_t> ParsePort(const std::string& text) {
  uint32_t port = 0;
  const bool are_digits = !text.empty() && text.size() <= kMaxPortDigits && std::ranges::all_of(text, [](char c) {
    return absl::ascii_isdigit(static_cast<unsigned char>(c));
  });
  if (!are_digits || !absl::SimpleAtoi(text, &port) || port == 0 || port > kMaxPort) return std::nullopt;
  return htons(static_cast<uint16_t>(port));
}

template <typename Address>
LoopbackAddress Stored(const Address& address) {
  LoopbackAddress stored;
  memcpy(&stored.address, &address, sizeof address);
  stored.size = sizeof address;
  return stored;
}

}  // namespace

std::optional<LoopbackAddress> ParseLoopbackAddress(const std::string& text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string::npos) return std::nullopt;
  const std::optional<in_port_t> port = ParsePort(text.substr(colon + 1));
  const std::string host = text.substr(0, colon);
  if (!port) return std::nullopt;
  if (absl::StartsWith(host, "[") && absl::EndsWith(host, "]")) {
    sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = *port};
    const std::string inside = host.substr(1, host.size() - 2);
    if (inet_pton(AF_INET6, inside.c_str(), &address.sin6_addr) != 1) return std::nullopt;
    if (!IN6_IS_ADDR_LOOPBACK(&address.sin6_addr)) return std::nullopt;
    return Stored(address);
  }
  sockaddr_in address = {.sin_family = AF_INET, .sin_port = *port};
  if (inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1) return std::nullopt;
  if (ntohl(address.sin_addr.s_addr) >> IN_CLASSA_NSHIFT != IN_LOOPBACKNET) return std::nullopt;
  return Stored(address);
}

}  // namespace volcrypt
