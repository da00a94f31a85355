#include "agent/keys/kmip/kmip_endpoint.h"

#include <algorithm>
#include <limits>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "encryptors/reason.h"

namespace volcrypt {
namespace {

constexpr uint16_t kUsualPort = 5696;
constexpr size_t kMaxHostBytes = 253;  // of a name, RFC 1035

bool IsHost(absl::string_view host, bool bracketed) {
  const auto fits = [bracketed](unsigned char c) {
    return absl::ascii_isalnum(c) || c == '.' || c == '-' || c == '_' || (bracketed && (c == ':' || c == '%'));
  };
  return !host.empty() && host.size() <= kMaxHostBytes && std::all_of(host.begin(), host.end(), fits);
}

bool ParsePort(absl::string_view text, uint16_t& port) {
  uint32_t number = 0;
  if (text.empty() || !std::all_of(text.begin(), text.end(), absl::ascii_isdigit) || !absl::SimpleAtoi(text, &number) ||
      number == 0 || number > std::numeric_limits<uint16_t>::max()) {
    return false;
  }
  port = static_cast<uint16_t>(number);
  return true;
}

}  // namespace

absl::StatusOr<KmipEndpoint> ParseKmipEndpoint(const std::string& text) {
  const absl::Status invalid =
      MakeError(Reason::kInvalidField, "servers: a KMIP server is written HOST:PORT, an IPv6 address [ADDRESS]:PORT",
                {{"field", "servers"}, {"server", text.substr(0, kMaxHostBytes)}});
  const absl::string_view all = text;
  const bool bracketed = !all.empty() && all.front() == '[';
  const size_t close = all.rfind(']');
  if (bracketed && close == absl::string_view::npos) return invalid;
  const size_t host_end = bracketed ? close + 1 : std::min(all.find(':'), all.size());
  const absl::string_view host = bracketed ? all.substr(1, close - 1) : all.substr(0, host_end);
  const absl::string_view rest = all.substr(host_end);
  KmipEndpoint endpoint{.host = std::string(host), .port = kUsualPort};
  if (!IsHost(host, bracketed)) return invalid;
  if (!rest.empty() && (rest.front() != ':' || !ParsePort(rest.substr(1), endpoint.port))) return invalid;
  return endpoint;
}

std::string ToString(const KmipEndpoint& endpoint) {
  const bool bracketed = endpoint.host.find(':') != std::string::npos;
  return bracketed ? absl::StrCat("[", endpoint.host, "]:", endpoint.port)
                   : absl::StrCat(endpoint.host, ":", endpoint.port);
}

}  // namespace volcrypt
