#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/config.h"
#include "agent/keys/secret_file.h"

namespace volcrypt {

// A file that cannot be used: the key of [server.tls] that names it, "private_key", and what is wrong with it.
struct TlsFileFault {
  std::string key;
  std::string what;
};

// What would keep callers over TCP from being served with these files. Those that are not set are left out, and without
// `private_key`, which is for credentials that cannot be seen from here, so is whether it fits.
std::vector<TlsFileFault> CheckServerTlsFiles(const ServerTlsConfig& tls, const std::optional<SecretFile>& private_key);

}  // namespace volcrypt
