#include "agent/key_manager_sections.h"

#include <array>
#include <variant>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "agent/config_values.h"

namespace volcrypt {
namespace {

using Section = KeyManagersConfig::Section;

constexpr absl::Duration kLeastTimeout = absl::Milliseconds(100);
constexpr absl::Duration kMostTimeout = absl::Minutes(5);
constexpr size_t kMaxName = 255;

// In the order of the alternatives of Section.
constexpr std::array<const char*, std::variant_size_v<Section>> kTypes = {"local", "barbican", "conf", "kmip"};

std::string WrongWithName(const std::string& name) {
  return name.size() <= kMaxName ? "" : absl::StrCat("is longer than ", kMaxName, " bytes");
}

std::string WrongWithAuthUrl(const std::string& url) {
  if (std::string wrong = WrongWithUrl(url); !wrong.empty()) return wrong;
  if (absl::EndsWith(url, "/v3") || absl::EndsWith(url, "/v3/")) return "";
  return absl::StrCat(Quoted(url), " must end in /v3, the version of Keystone's API");
}

std::string WrongWithEndpoint(const std::string& url) {
  if (std::string wrong = WrongWithUrl(url); !wrong.empty()) return wrong;
  const bool versioned = absl::EndsWith(url, "/v1") || absl::EndsWith(url, "/v1/");
  return versioned ? absl::StrCat(Quoted(url), " must be written without /v1, the version of Barbican's API") : "";
}

void ReadUrl(ConfigTable& table, const std::string& key, std::string& url, const ConfigTable::Check& check) {
  // Further segments are put behind it.
  if (table.Read(key, url, check) && absl::EndsWith(url, "/")) url.pop_back();
}

void ReadKeys(ConfigTable& table, LocalKeyManagerConfig& config) {
  table.Read("path", config.path, WrongWithFile);
  table.Read("kek_file", config.kek_file, OrEmpty(WrongWithSecretFile));
}

void ReadKeys(ConfigTable& table, BarbicanConfig& config) {
  const ConfigTable::Check secret_file = OrEmpty(WrongWithSecretFile);
  ReadUrl(table, "auth_url", config.auth_url, OrEmpty(WrongWithAuthUrl));
  table.Read("application_credential_id", config.application_credential_id, WrongWithName);
  table.Read("application_credential_secret_file", config.application_credential_secret_file, secret_file);
  table.Read("username", config.username, WrongWithName);
  table.Read("password_file", config.password_file, secret_file);
  table.Read("project_name", config.project_name, WrongWithName);
  table.Read("user_domain_name", config.user_domain_name, WrongWithName);
  table.Read("project_domain_name", config.project_domain_name, WrongWithName);
  table.Read("region", config.region, WrongWithName);
  table.Read("interface", config.interface, OneOf({"public", "internal", "admin"}));
  ReadUrl(table, "endpoint", config.endpoint, OrEmpty(WrongWithEndpoint));
  table.Read("ca_file", config.ca_file, OrEmpty(WrongWithFile));
  table.Read("accept_caller_token", config.accept_caller_token);
  table.Read("grant_agent_read", config.grant_agent_read);
  table.Read("timeout", config.timeout, kLeastTimeout, kMostTimeout);
}

void ReadKeys(ConfigTable& table, FixedKeyConfig& config) {
  table.Read("fixed_key_file", config.fixed_key_file, OrEmpty(WrongWithSecretFile));
  table.Read("high_entropy", config.high_entropy);
}

void ReadKeys(ConfigTable& table, KmipConfig& config) {
  const ConfigTable::Check secret_file = OrEmpty(WrongWithSecretFile);
  table.Read("servers", config.servers, WrongWithHostAndPort, /*need_one=*/true);
  table.Read("client_certificate", config.client_certificate, secret_file);
  table.Read("client_private_key", config.client_private_key, secret_file);
  table.Read("ca_file", config.ca_file, OrEmpty(WrongWithFile));
  table.Read("username", config.username, WrongWithName);
  table.Read("password_file", config.password_file, secret_file);
  table.Read("timeout", config.timeout, kLeastTimeout, kMostTimeout);
}

// Reports about one section, at the line of the key or, where it has none, of the section.
class SectionCheck {
 public:
  SectionCheck(const std::string& name, ConfigReport& report)
      : path_(absl::StrCat("key_managers.", name)), report_(report) {}

  void Require(const std::string& key, bool is_there, absl::string_view what) {
    if (!is_there) Fail(key, absl::StrCat("is missing; ", what));
  }
  // What one wrong value does to another is no second mistake.
  void Fail(const std::string& key, const std::string& what) {
    const std::string whole = absl::StrCat(path_, ".", key);
    if (!report_.HasFailed(whole)) report_.Fail(report_.PlaceOf({whole, path_}), whole, what);
  }
  bool HasFailed(const std::string& key) const { return report_.HasFailed(absl::StrCat(path_, ".", key)); }

 private:
  const std::string path_;
  ConfigReport& report_;
};

void CheckKeys(const LocalKeyManagerConfig&, SectionCheck&) {}

void CheckApplicationCredential(const BarbicanConfig& config, SectionCheck& check) {
  check.Require("application_credential_id", !config.application_credential_id.empty(),
                "an application credential has an id and a secret");
  check.Require("application_credential_secret_file", !config.application_credential_secret_file.empty(),
                "an application credential has an id and a secret");
}

void CheckPassword(const BarbicanConfig& config, SectionCheck& check) {
  constexpr absl::string_view kNeeded = "a password needs username, password_file and project_name";
  check.Require("username", !config.username.empty(), kNeeded);
  check.Require("password_file", !config.password_file.empty(), kNeeded);
  check.Require("project_name", !config.project_name.empty(), kNeeded);
  check.Require("user_domain_name", !config.user_domain_name.empty(), "name the domain of the user");
  check.Require("project_domain_name", !config.project_domain_name.empty(), "name the domain of the project");
}

void CheckKeys(const BarbicanConfig& config, SectionCheck& check) {
  check.Require("auth_url", !config.auth_url.empty(),
                "write the URL of Keystone, for example https://keystone:5000/v3");
  const bool names_credential =
      !config.application_credential_id.empty() || !config.application_credential_secret_file.empty() ||
      check.HasFailed("application_credential_id") || check.HasFailed("application_credential_secret_file");
  const bool names_user = !config.username.empty() || !config.password_file.empty() || check.HasFailed("username") ||
                          check.HasFailed("password_file");
  if (names_credential && names_user) {
    check.Fail("username", "excludes an application credential; keep one of the two");
  } else if (names_credential) {
    CheckApplicationCredential(config, check);
  } else if (names_user) {
    CheckPassword(config, check);
  } else {
    check.Fail("application_credential_id",
               "is missing; write application_credential_id and application_credential_secret_file, or username, "
               "password_file and project_name");
  }
  if (config.grant_agent_read && !config.accept_caller_token) {
    check.Fail("grant_agent_read",
               "needs accept_caller_token = true: the agent's user is let in with a caller's token");
  }
}

void CheckKeys(const FixedKeyConfig& config, SectionCheck& check) {
  check.Require("fixed_key_file", !config.fixed_key_file.empty(), "write the path of a file of hexadecimal digits");
}

void CheckKeys(const KmipConfig& config, SectionCheck& check) {
  check.Require("servers", !config.servers.empty(), "write a list of HOST:PORT");
  check.Require("client_certificate", !config.client_certificate.empty(), "KMIP needs mutual TLS");
  check.Require("client_private_key", !config.client_private_key.empty(), "KMIP needs mutual TLS");
  if (config.username.empty() && !config.password_file.empty()) {
    check.Require("username", false, "password_file has the password of a user");
  }
  if (!config.username.empty() && config.password_file.empty()) {
    check.Require("password_file", false, "username has a password");
  }
}

}  // namespace

std::optional<Section> NewKeyManagerSection(const std::string& type) {
  if (type == kTypes[0]) return LocalKeyManagerConfig{};
  if (type == kTypes[1]) return BarbicanConfig{};
  if (type == kTypes[2]) return FixedKeyConfig{};
  if (type == kTypes[3]) return KmipConfig{};
  return std::nullopt;
}

std::string KeyManagerTypeList() { return absl::StrJoin(kTypes, ", "); }

void ReadKeyManagerSection(ConfigTable& table, Section& section) {
  std::visit([&table](auto& config) { ReadKeys(table, config); }, section);
  table.Finish();
}

void CheckKeyManagerSection(const std::string& name, const Section& section, ConfigReport& report) {
  SectionCheck check(name, report);
  std::visit([&check](const auto& config) { CheckKeys(config, check); }, section);
}

}  // namespace volcrypt
