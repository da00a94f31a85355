// The sections [key_managers.NAME] of the configuration, with their built-in defaults.
#pragma once

#include <map>
#include <string>
#include <variant>
#include <vector>

#include "absl/time/time.h"

namespace volcrypt {

struct LocalKeyManagerConfig {
  std::string path = "/var/lib/volcrypt/keys.db";
  // Empty: the systemd credential volcrypt.kek, else a file beside the store. "credential:NAME" names a credential.
  std::string kek_file;
};

// Barbican, reached through Keystone. Either the application credential or the password is set.
struct BarbicanConfig {
  std::string auth_url;  // of Keystone, with its /v3
  std::string application_credential_id;
  std::string application_credential_secret_file;
  std::string username;
  std::string password_file;
  std::string project_name;
  std::string user_domain_name = "Default";
  std::string project_domain_name = "Default";
  std::string region;  // empty: any
  std::string interface = "internal";
  std::string endpoint;  // of Barbican, without /v1; empty: from the catalog
  std::string ca_file;   // empty: the system's
  bool accept_caller_token = true;
  bool grant_agent_read = false;
  absl::Duration timeout = absl::Seconds(10);  // of one call, with all its requests
};

// One fixed key for everything: ConfKeyManager of nova and cinder.
struct FixedKeyConfig {
  std::string fixed_key_file;  // hexadecimal text
  bool high_entropy = false;   // vouches for a key from a random generator, of at least 128 bits
};

struct KmipConfig {
  std::vector<std::string> servers;  // HOST:PORT, tried in this order
  std::string client_certificate;
  std::string client_private_key;
  std::string ca_file;   // empty: the system's
  std::string username;  // empty: none
  std::string password_file;
  absl::Duration timeout = absl::Seconds(10);  // of one call, with all its servers
};

struct KeyManagersConfig {
  using Section = std::variant<LocalKeyManagerConfig, BarbicanConfig, FixedKeyConfig, KmipConfig>;

  std::string default_name = "local";
  // By section name. A file that has sections replaces this one.
  std::map<std::string, Section> sections = {{"local", LocalKeyManagerConfig{}}};
};

}  // namespace volcrypt
