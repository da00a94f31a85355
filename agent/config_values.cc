#include "agent/config_values.h"

#include <arpa/inet.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <climits>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "agent/encryption_rules.h"
#include "agent/metrics/loopback_address.h"

namespace volcrypt {
namespace {

constexpr size_t kMaxQuoted = 100;
constexpr size_t kMaxDurationDigits = 9;
constexpr size_t kMaxAccountName = 256;
constexpr size_t kMaxKeyManagerName = 64;
constexpr char kCredentialPrefix[] = "credential:";
constexpr size_t kMaxUrl = 2048;
constexpr size_t kMaxHost = 253;  // of a name in the DNS
constexpr size_t kMaxPortDigits = 5;

struct UnitRow {
  const char* name;
  absl::Duration unit;
};

// Stricter than systemd, which takes every file name: nothing that could leave the directory or garble a log.
bool IsCredentialName(const std::string& name) {
  return !name.empty() && name.size() <= NAME_MAX && name[0] != '.' && std::ranges::all_of(name, [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-' || c == '@';
  });
}

bool IsHostName(absl::string_view host) {
  return !host.empty() && host.size() <= kMaxHost && host.front() != '-' && std::ranges::all_of(host, [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '-' || c == '_';
  });
}

bool IsIpv6Address(const std::string& text) {
  in6_addr address{};
  return inet_pton(AF_INET6, text.c_str(), &address) == 1;
}

bool IsPort(absl::string_view text) {
  int port = 0;
  return !text.empty() && text.size() <= kMaxPortDigits &&
         std::ranges::all_of(text, [](char c) { return absl::ascii_isdigit(static_cast<unsigned char>(c)); }) &&
         absl::SimpleAtoi(text, &port) && port > 0 && port < 65536;
}

enum class Port : bool { kOptional, kRequired };

// HOST or [IPV6], then :PORT.
bool IsAuthority(absl::string_view text, Port port) {
  const size_t host_end = absl::StartsWith(text, "[") ? text.find(']') : text.find(':');
  if (absl::StartsWith(text, "[")) {
    if (host_end == absl::string_view::npos || !IsIpv6Address(std::string(text.substr(1, host_end - 1)))) return false;
    text.remove_prefix(host_end + 1);
  } else {
    if (!IsHostName(text.substr(0, host_end))) return false;
    text.remove_prefix(std::min(host_end, text.size()));
  }
  if (text.empty()) return port == Port::kOptional;
  return absl::ConsumePrefix(&text, ":") && IsPort(text);
}

// What RFC 3986 lets stand in a path.
bool IsUrlPath(absl::string_view path) {
  constexpr absl::string_view kMarks = "/-._~!$&'()*+,;=:@%";
  return std::ranges::all_of(
      path, [&](char c) { return absl::ascii_isalnum(static_cast<unsigned char>(c)) || absl::StrContains(kMarks, c); });
}

}  // namespace

std::string Quoted(const std::string& text) {
  const bool cut = text.size() > kMaxQuoted;
  return absl::StrCat("\"", absl::CEscape(cut ? text.substr(0, kMaxQuoted) : text), cut ? "...\"" : "\"");
}

std::optional<absl::Duration> ParseConfigDuration(const std::string& text) {
  const std::array<UnitRow, 4> units = {{
      {"ms", absl::Milliseconds(1)},
      {"s", absl::Seconds(1)},
      {"m", absl::Minutes(1)},
      {"h", absl::Hours(1)},
  }};
  const size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  int64_t count = 0;
  if (digits > kMaxDurationDigits || !absl::SimpleAtoi(text.substr(0, digits), &count)) return std::nullopt;
  const auto* const row = std::ranges::find_if(
      units, [&](const UnitRow& unit) { return text.compare(digits, std::string::npos, unit.name) == 0; });
  if (row == units.end()) return std::nullopt;
  return count * row->unit;
}

std::string WrongWithPath(const std::string& path) {
  if (!absl::StartsWith(path, "/")) return absl::StrCat(Quoted(path), " must be an absolute path");
  if (path.size() >= PATH_MAX) return absl::StrCat(Quoted(path), " is too long for a path");
  const std::vector<std::string> parts = absl::StrSplit(path.substr(1), '/');
  for (size_t i = 0; i < parts.size(); ++i) {
    const bool is_last = i + 1 == parts.size();
    if (parts[i] == "." || parts[i] == ".." || (parts[i].empty() && !is_last)) {
      return absl::StrCat(Quoted(path), R"( must be written without ".", ".." and doubled slashes)");
    }
  }
  return "";
}

std::string WrongWithFile(const std::string& path) {
  if (std::string wrong = WrongWithPath(path); !wrong.empty()) return wrong;
  return absl::EndsWith(path, "/") ? absl::StrCat(Quoted(path), " is a directory; name the file in it") : "";
}

// The value is not repeated: whoever writes the secret itself where its file belongs must not find it in a log.
std::string WrongWithSecretFile(const std::string& path) {
  const bool right = absl::StartsWith(path, kCredentialPrefix)
                         ? IsCredentialName(path.substr(sizeof(kCredentialPrefix) - 1))
                         : WrongWithFile(path).empty();
  return right ? "" : "must be the absolute path of a file, or credential:NAME with the name of a systemd credential";
}

std::string WrongWithDevicePrefix(const std::string& prefix) {
  if (std::string wrong = WrongWithPath(prefix); !wrong.empty()) return wrong;
  if (absl::EndsWith(prefix, "/")) return "";
  return absl::StrCat(Quoted(prefix), " must end in a slash: ", Quoted(absl::StrCat(prefix, "/")));
}

std::string WrongWithListen(const std::string& endpoint) {
  absl::string_view authority = endpoint;
  if (absl::ConsumePrefix(&authority, kTcpPrefix)) {
    if (IsAuthority(authority, Port::kRequired)) return "";
    return absl::StrCat(Quoted(endpoint), " must be tcp:HOST:PORT, an IPv6 address as tcp:[ADDRESS]:PORT");
  }
  if (!absl::StartsWith(endpoint, kUnixPrefix)) {
    return absl::StrCat(Quoted(endpoint),
                        " must be unix:PATH, for example unix:/run/volcrypt/volcryptd.sock, or tcp:HOST:PORT");
  }
  const std::string path = endpoint.substr(kUnixPrefix.size());
  if (std::string wrong = WrongWithFile(path); !wrong.empty()) return wrong;
  if (path.size() < sizeof(sockaddr_un::sun_path)) return "";
  return absl::StrCat(Quoted(path), " is too long: a socket's path has at most ", sizeof(sockaddr_un::sun_path) - 1,
                      " bytes");
}

std::string WrongWithAllowedCipher(const std::string& cipher) {
  if (IsBuiltInCipher(cipher)) return "";
  return absl::StrCat(Quoted(cipher), " can not be allowed; the list may name: ", BuiltInCipherList());
}

std::string WrongWithAccount(const std::string& name) {
  if (!name.empty() && name.size() <= kMaxAccountName) return "";
  return absl::StrCat(Quoted(name), " is no user's or group's name or number");
}

std::string WrongWithCertificateName(const std::string& name) {
  const bool is_uri = absl::StrContains(name, ':');
  const bool is_plain =
      std::ranges::all_of(name, [](char c) { return absl::ascii_isgraph(static_cast<unsigned char>(c)); });
  if (!name.empty() && name.size() <= kMaxUrl && is_plain && (is_uri || IsHostName(name))) return "";
  return absl::StrCat(Quoted(name),
                      " is no name that a certificate may have: write a DNS name, compute7.example.org, or a URI, "
                      "spiffe://example.org/compute");
}

// A URL that is refused for a user in it is not repeated: a password stands there too.
std::string WrongWithUrl(const std::string& url) {
  absl::string_view rest = url;
  if (!absl::ConsumePrefix(&rest, "https://") && !absl::ConsumePrefix(&rest, "http://")) {
    return absl::StrContains(url, '@') ? "must begin with https:// or http://"
                                       : absl::StrCat(Quoted(url), " must begin with https:// or http://");
  }
  const size_t slash = rest.find('/');
  const absl::string_view authority = rest.substr(0, slash);
  if (absl::StrContains(authority, '@')) return "must not name a user: credentials have keys of their own";
  if (url.size() > kMaxUrl) return absl::StrCat(Quoted(url), " is too long for a URL");
  const bool right =
      IsAuthority(authority, Port::kOptional) && (slash == absl::string_view::npos || IsUrlPath(rest.substr(slash)));
  return right ? "" : absl::StrCat(Quoted(url), " must be a URL of the form https://HOST:PORT/PATH");
}

std::string WrongWithHostAndPort(const std::string& server) {
  if (IsAuthority(server, Port::kRequired)) return "";
  return absl::StrCat(Quoted(server), " must be HOST:PORT, an IPv6 address as [ADDRESS]:PORT");
}

std::string WrongWithLibvirtUri(const std::string& uri) {
  if (uri.empty()) return "";
  absl::string_view rest = uri;
  const bool local = absl::ConsumePrefix(&rest, "qemu:///") || absl::ConsumePrefix(&rest, "secret:///");
  const bool daemon = local && (absl::ConsumePrefix(&rest, "system") || absl::ConsumePrefix(&rest, "session"));
  if (!daemon || (!rest.empty() && !absl::ConsumePrefix(&rest, "?socket="))) {
    return absl::StrCat(Quoted(uri), " must be that of a libvirtd on this host: qemu:///system, perhaps with ",
                        "?socket=PATH");
  }
  return rest.empty() ? "" : WrongWithFile(std::string(rest));
}

std::string WrongWithMetricsListen(const std::string& address) {
  if (address.empty() || ParseLoopbackAddress(address)) return "";
  return absl::StrCat(Quoted(address),
                      " must be an address of the loopback interface and a port, 127.0.0.1:9464 or [::1]:9464: metrics "
                      "go out unencrypted to whoever asks, so they do not leave this host");
}

std::string WrongWithKeyManagerName(const std::string& name) {
  const bool right = !name.empty() && name.size() <= kMaxKeyManagerName && std::ranges::all_of(name, [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-';
  });
  return right ? ""
               : absl::StrCat(Quoted(name), " is no name of a key manager; use up to ", kMaxKeyManagerName,
                              R"( letters, digits, "_" and "-")");
}

}  // namespace volcrypt
