#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "encryptors/encryption.h"

namespace volcrypt {

// /etc/volcrypt/volcryptd.toml and the drop-ins beside it. The defaults here are the built-in ones, in force without a
// file; docs/volcryptd.toml says what each means for an operator.

enum class Role : uint8_t { kNone, kCompute, kAdmin };

// [server.tls]: of what listens on TCP. PEM files, read again when they change.
struct ServerTlsConfig {
  std::string certificate;
  std::string private_key;           // a path, or "credential:NAME"
  std::string client_ca;             // whose certificates callers may show
  std::string client_crl_directory;  // revocation lists, named as openssl-rehash(1) names them; empty: none

  bool operator==(const ServerTlsConfig&) const = default;
};

struct ServerConfig {
  std::vector<std::string> listen = {"unix:/run/volcrypt/volcryptd.sock"};  // or tcp:HOST:PORT
  absl::Duration operation_timeout = absl::Seconds(60);
  uint32_t max_operations = 32;
  // Of one user or certificate, running and waiting: of those that may ask a key manager, and of all others.
  uint32_t max_calls_per_caller = 96;
  ServerTlsConfig tls;
};

// One [[access]] table: these callers have this role.
struct AccessConfig {
  Role role = Role::kNone;
  std::vector<std::string> users;              // names or numbers
  std::vector<std::string> groups;             // likewise
  std::vector<std::string> certificate_names;  // subject alternative names: DNS names and URIs
};

struct VolumesConfig {
  bool format_if_blank = true;  // first_use
  Encryption encryption{
      .format = Format::kLuks2, .cipher = "aes-xts-plain64", .key_size_bits = 512, .sector_size_bytes = 0};
  std::vector<std::string> device_prefixes = {"/dev/"};
  std::vector<std::string> allowed_ciphers = {"aes-xts-plain64", "aes-cbc-essiv:sha256", "aes-xts-plain"};
};

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

struct LibvirtConfig {
  std::string uri;          // empty: off
  bool persistent = false;  // secrets
  // Directory: what was registered since the host booted, without values.
  std::string records = "/var/lib/volcrypt/libvirt-secrets";
};

struct MetricsConfig {
  std::string listen;  // a loopback address and port; empty: off
};

struct AuditConfig {
  std::string file;  // besides the journal; empty: none
};

struct LogConfig {
  std::string level = "info";  // debug, info, warning, error
};

struct Config {
  ServerConfig server;
  std::vector<AccessConfig> access;
  VolumesConfig volumes;
  KeyManagersConfig key_managers;
  LibvirtConfig libvirt;
  MetricsConfig metrics;
  LogConfig log;
  AuditConfig audit;
};

// One thing wrong with the configuration: "FILE:LINE: key: what".
struct ConfigError {
  std::string file;
  uint32_t line = 0;  // 0: the file as a whole
  std::string key;
  std::string what;
};
std::string ToString(const ConfigError& error);

// Where a key was set.
struct ConfigPlace {
  std::string file;
  uint32_t line = 0;  // 0: the file as a whole
};

struct ConfigResult {
  Config config;
  std::vector<ConfigError> errors;            // the configuration may be used only when there is none
  std::map<std::string, ConfigPlace> places;  // of every key that a file sets, for checks that come later
};

// Reads `path` and then, in the order of their names, the *.toml files in the directory of the same name with ".d"
// for ".toml". A later file's key replaces an earlier one's; [[access]] tables replace all earlier ones. With
// `must_exist` a missing `path` is an error; a missing directory never is.
ConfigResult LoadConfig(const std::string& path, bool must_exist);

// The same for one text, for tests and fuzzing; `file` stands in the errors.
ConfigResult ParseConfig(std::string_view text, const std::string& file);

}  // namespace volcrypt
