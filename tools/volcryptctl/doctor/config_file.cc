#include "tools/volcryptctl/doctor/config_file.h"

#include <toml++/toml.h>

#include <algorithm>
#include <array>
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "tools/volcryptctl/doctor/host_files.h"

namespace volcrypt::ctl {
namespace {

// As volcryptd's own limit, which also bounds how deep tables nest.
constexpr size_t kMaxConfigBytes = size_t{32} * 1024;
constexpr const char* kDefaultStore = "/var/lib/volcrypt/keys.db";

// What a bug report may show. A list of what is allowed: a secret in the wrong place, or under a name of its own, is
// not in it. Where secrets are (kek_file) is no secret; what is in those files is never read.
constexpr std::array<absl::string_view, 44> kHarmless = {"listen",
                                                         "operation_timeout",
                                                         "max_operations",
                                                         "max_calls_per_caller",
                                                         "certificate",
                                                         "private_key",
                                                         "client_ca",
                                                         "client_crl_directory",
                                                         "role",
                                                         "users",
                                                         "groups",
                                                         "certificate_names",
                                                         "first_use",
                                                         "format",
                                                         "cipher",
                                                         "key_size_bits",
                                                         "sector_size_bytes",
                                                         "device_prefixes",
                                                         "allowed_ciphers",
                                                         "default",
                                                         "type",
                                                         "path",
                                                         "kek_file",
                                                         "auth_url",
                                                         "application_credential_secret_file",
                                                         "password_file",
                                                         "region",
                                                         "interface",
                                                         "endpoint",
                                                         "ca_file",
                                                         "accept_caller_token",
                                                         "grant_agent_read",
                                                         "timeout",
                                                         "fixed_key_file",
                                                         "high_entropy",
                                                         "servers",
                                                         "client_certificate",
                                                         "client_private_key",
                                                         "uri",
                                                         "secrets",
                                                         "records",
                                                         "level",
                                                         "file",
                                                         "project_name"};

// A file's or a credential's name: not a key that somebody pasted there.
bool IsPlace(absl::string_view text) {
  return text.empty() || absl::StartsWith(text, "/") || absl::StartsWith(text, "credential:");
}

bool MustBePlace(absl::string_view key) {
  return absl::EndsWith(key, "_file") || absl::EndsWith(key, "private_key") || key == "path" || key == "file" ||
         key == "records";
}

// "https://USER:PASSWORD@HOST?QUERY" without what may be secret in it.
std::string WithoutUser(absl::string_view text) {
  const size_t scheme = text.find("://");
  if (scheme == absl::string_view::npos) return std::string(text);
  const absl::string_view rest = text.substr(scheme + 3);
  const size_t at = rest.rfind('@');
  const absl::string_view host = at == absl::string_view::npos ? rest : rest.substr(at + 1);
  return absl::StrCat(text.substr(0, scheme + 3), host.substr(0, host.find('?')));
}

std::string Shown(absl::string_view key, const toml::node& value) {
  if (const auto* text = value.as_string()) {
    if (MustBePlace(key) && !IsPlace(text->get())) return "(left out)";
    return absl::StrCat("\"", WithoutUser(text->get()), "\"");
  }
  if (const auto* number = value.as_integer()) return absl::StrCat(number->get());
  if (const auto* truth = value.as_boolean()) return truth->get() ? "true" : "false";
  if (const auto* list = value.as_array()) {
    std::string all;
    for (const toml::node& one : *list) absl::StrAppend(&all, all.empty() ? "" : ", ", Shown(key, one));
    return absl::StrCat("[", all, "]");
  }
  return "(left out)";
}

void Collect(const toml::table& table, const std::string& path, std::vector<std::string>& settings) {
  for (const auto& [key, value] : table) {
    const std::string name(key.str());
    const std::string whole = path.empty() ? name : absl::StrCat(path, ".", name);
    const auto* list = value.as_array();
    if (const auto* inner = value.as_table()) {
      Collect(*inner, whole, settings);
    } else if (list != nullptr && !list->empty() && list->is_array_of_tables()) {
      for (const toml::node& one : *list) Collect(*one.as_table(), whole, settings);
    } else {
      const bool is_harmless = std::ranges::find(kHarmless, absl::string_view(name)) != kHarmless.end();
      settings.push_back(absl::StrCat(whole, " = ", is_harmless ? Shown(name, value) : "(left out)"));
    }
  }
}

using Stores = std::map<std::string, ConfigFile::Store>;

void CollectStores(const toml::table& table, Stores& stores, bool& has_managers) {
  const toml::table* managers = table["key_managers"].as_table();
  if (managers == nullptr) return;
  for (const auto& [name, section] : *managers) {
    has_managers = true;
    const toml::table* manager = section.as_table();
    const std::string key(name.str());
    if (manager == nullptr || (!stores.contains(key) && (*manager)["type"].value_or(std::string()) != "local"))
      continue;
    ConfigFile::Store& store = stores[key];
    store.key_manager = key;
    store.path = (*manager)["path"].value_or(store.path.empty() ? std::string(kDefaultStore) : store.path);
    store.kek_file = (*manager)["kek_file"].value_or(store.kek_file);
  }
}

// The position alone: the library's text quotes the file.
absl::Status NotToml(const std::string& path, const toml::parse_error& error) {
  return absl::InvalidArgumentError(absl::StrCat(path, ":", error.source().begin.line, " is not TOML"));
}

absl::Status AddFile(const Host& host, const std::string& path, ConfigFile& config, Stores& stores,
                     bool& has_managers) {
  const absl::StatusOr<std::string> text = ReadText(host.At(path), kMaxConfigBytes + 1);
  if (!text.ok()) return text.status();
  if (text->size() > kMaxConfigBytes) return absl::InvalidArgumentError(absl::StrCat(path, " is larger than 32 KiB"));
  try {
    const toml::table table = toml::parse(*text);
    config.files.push_back(path);
    Collect(table, "", config.settings);
    CollectStores(table, stores, has_managers);
  } catch (const toml::parse_error& error) {
    return NotToml(path, error);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ConfigFile> ReadConfigFile(const Host& host, const std::string& path) {
  ConfigFile config;
  Stores stores;
  bool has_managers = false;
  std::vector<std::string> files = {path};
  const std::string drop_ins = absl::StrCat(absl::StripSuffix(path, ".toml"), ".d");
  const auto names = NamesIn(host.At(drop_ins));
  if (!names.ok() && !absl::IsNotFound(names.status())) return names.status();
  for (const std::string& name : names.ok() ? *names : std::vector<std::string>()) {
    if (absl::EndsWith(name, ".toml")) files.push_back(absl::StrCat(drop_ins, "/", name));
  }
  for (const std::string& file : files) {
    const absl::Status status = AddFile(host, file, config, stores, has_managers);
    if (!status.ok() && !(absl::IsNotFound(status) && file == path)) return status;
  }
  for (const auto& [name, store] : stores) config.stores.push_back(store);
  if (!has_managers) config.stores.push_back({.key_manager = "local", .path = kDefaultStore});
  return config;
}

}  // namespace volcrypt::ctl
