#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/keys/key_managers.h"
#include "agent/keys/key_managers_config.h"

namespace volcrypt {

struct KeyManagersResult {
  KeyManagers key_managers;
  std::vector<std::string> warnings;  // each begins with the section: "[key_managers.local] "
};

// Opens every configured key manager. The first error, which begins with its section, ends it. `credentials_directory`
// is systemd's ($CREDENTIALS_DIRECTORY), empty without one: there "credential:NAME" is looked for, and volcrypt.kek
// where the configuration names no key-encryption key.
absl::StatusOr<KeyManagersResult> OpenKeyManagers(const KeyManagersConfig& config,
                                                  const std::string& credentials_directory);

}  // namespace volcrypt
