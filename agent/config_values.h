// What single values of the configuration may look like. Each WrongWith... says what is wrong and what to write
// instead; empty: nothing.
#pragma once

#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace volcrypt {

// What the ways to listen begin with, in [server] listen.
inline constexpr absl::string_view kUnixPrefix = "unix:";
inline constexpr absl::string_view kTcpPrefix = "tcp:";

// The text between quotation marks, with everything that is not plain ASCII escaped and long texts cut.
std::string Quoted(const std::string& text);

// "60s", "500ms", "2m", "1h": a whole number and one unit.
std::optional<absl::Duration> ParseConfigDuration(const std::string& text);

// Absolute, in its shortest spelling: no "." or ".." and no doubled slash. May end in a slash.
std::string WrongWithPath(const std::string& path);
// The path of a file.
std::string WrongWithFile(const std::string& path);
// The file of a secret, or "credential:NAME" for one that systemd hands to the service.
std::string WrongWithSecretFile(const std::string& path);
// The path of a directory, with its slash: without one, "/dev/sd" would also mean "/dev/sdx" and "/dev/sd-other".
std::string WrongWithDevicePrefix(const std::string& prefix);
// unix:ABSOLUTE_PATH, short enough for a socket's address; or tcp:HOST:PORT.
std::string WrongWithListen(const std::string& endpoint);
// A DNS name or a URI, as certificates name their holders.
std::string WrongWithCertificateName(const std::string& name);
std::string WrongWithAllowedCipher(const std::string& cipher);
// The name or number of a user or group.
std::string WrongWithAccount(const std::string& name);
// http:// or https://, a host, perhaps a port and a path; no user, query or fragment.
std::string WrongWithUrl(const std::string& url);
// HOST:PORT, an IPv6 address as [ADDRESS]:PORT.
std::string WrongWithHostAndPort(const std::string& server);
// Empty, or that of a libvirtd on this host: qemu:///system, or with ?socket=PATH. Keys must not leave the host, and
// libvirt's embedded mode ends the process that defines an ephemeral secret (9.0).
std::string WrongWithLibvirtUri(const std::string& uri);
// An address that only this host can connect to, and a port; empty for none.
std::string WrongWithMetricsListen(const std::string& address);
// Part of MANAGER:KEY_ID on a command line.
std::string WrongWithKeyManagerName(const std::string& name);

}  // namespace volcrypt
