#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "agent/keys/key_managers_config.h"
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

}  // namespace volcrypt
