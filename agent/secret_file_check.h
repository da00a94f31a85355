#pragma once

#include <string>
#include <vector>

#include "agent/config_result.h"

namespace volcrypt {

struct SecretFileFindings {
  std::vector<ConfigError> errors;
  std::vector<std::string> notes;  // what could not be looked at here
};

// What would keep a start from using the files that [server.tls] and the sections of key managers name: secrets,
// certificates, the local store's key. Creates nothing; what a first start makes may be missing.
// `credentials_directory` is systemd's, empty without one: then what is in it is noted, not judged. Files are judged as
// of the user that calls.
SecretFileFindings CheckSecretFiles(const ConfigResult& config, const std::string& credentials_directory);

}  // namespace volcrypt
