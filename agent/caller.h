#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

namespace volcrypt {

// What the kernel says of the process at the other end of a Unix socket (SO_PEERCRED, SO_PEERGROUPS), as it was when
// that process connected.
struct PeerCredentials {
  uid_t uid = 0;
  gid_t gid = 0;
  pid_t pid = 0;
  std::vector<gid_t> groups;  // supplementary
  bool is_self = false;       // the agent, which asks itself whether it answers
};

// Who makes a call, as its transport vouches for it: a process of this host, or the holder of a certificate.
struct Caller {
  std::optional<PeerCredentials> process;
  // Of a certificate that an authority of [server.tls] client_ca has signed: its DNS names and URIs (subject
  // alternative names, RFC 5280, 4.2.1.6). Never a common name.
  std::vector<std::string> certificate_names;
};

// One name for all calls of one caller: "uid 162", "certificate compute7.example.org".
std::string NameOf(const Caller& caller);

}  // namespace volcrypt
