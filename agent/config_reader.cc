#include "agent/config_reader.h"

#include <toml++/toml.h>

#include <algorithm>
#include <array>
#include <exception>
#include <map>
#include <variant>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/config_files.h"
#include "agent/config_values.h"
#include "agent/encryption_rules.h"
#include "agent/key_manager_sections.h"

namespace volcrypt {
namespace {

constexpr uint32_t kMaxOperations = 1000;
constexpr uint32_t kMaxCallsPerCaller = 10000;
// More than any size below it that means something; which ones do is a rule of the cipher.
constexpr uint32_t kMaxKeySizeBits = 4096;
constexpr uint32_t kMaxSectorSizeBytes = 65536;

std::string WrongWithFormat(const std::string& format) {
  if (format == "plain") {
    return "\"plain\" has no header to tell a first use by, so it is no default; a call that wants it says so";
  }
  return OneOf({"luks1", "luks2"})(format);
}

std::string WrongWithKeyManagerType(const std::string& type) {
  if (NewKeyManagerSection(type)) return "";
  return absl::StrCat(Quoted(type), " is unknown; the types are: ", KeyManagerTypeList());
}

}  // namespace

void ConfigReader::Add(std::string_view text, const std::string& file) {
  if (text.size() > kMaxConfigFileBytes) {
    report_.Fail({.file = file}, "", absl::StrCat("is larger than ", kMaxConfigFileBytes, " bytes"));
    return;
  }
  try {
    const toml::table table = toml::parse(text, std::string_view(file));
    ConfigTable whole(table, file, "", report_);
    ReadFile(whole);
  } catch (const toml::parse_error& error) {
    const std::string description(error.description());
    report_.Fail({.file = file, .line = error.source().begin.line}, "", absl::StrCat("is not TOML: ", description));
  } catch (const std::exception& error) {
    report_.Fail({.file = file}, "", absl::StrCat("can not be read: ", error.what()));
  }
}

void ConfigReader::ReadFile(ConfigTable& file) {
  if (auto server = file.Table("server")) ReadServer(*server);
  ReadAccess(file);
  if (auto volumes = file.Table("volumes")) ReadVolumes(*volumes);
  if (auto key_manager = file.Table("key_manager")) ReadKeyManager(*key_manager);
  if (auto key_managers = file.Table("key_managers")) ReadKeyManagers(*key_managers);
  if (auto libvirt = file.Table("libvirt")) ReadLibvirt(*libvirt);
  if (auto metrics = file.Table("metrics")) {
    metrics->Read("listen", config_.metrics.listen, WrongWithMetricsListen);
    metrics->Finish();
  }
  if (auto log = file.Table("log")) {
    log->Read("level", config_.log.level, OneOf({"debug", "info", "warning", "error"}));
    log->Finish();
  }
  if (auto audit = file.Table("audit")) {
    audit->Read("file", config_.audit.file, OrEmpty(WrongWithFile));
    audit->Finish();
  }
  file.Finish();
}

void ConfigReader::ReadServer(ConfigTable& server) {
  ServerConfig& config = config_.server;
  if (server.Read("listen", config.listen, WrongWithListen, /*need_one=*/true)) {
    const std::set<std::string> different(config.listen.begin(), config.listen.end());
    if (different.size() != config.listen.size()) server.Fail("listen", "names an address twice");
  }
  server.Read("operation_timeout", config.operation_timeout, absl::Seconds(1), absl::Hours(1));
  server.Read("max_operations", config.max_operations, 1, kMaxOperations);
  server.Read("max_calls_per_caller", config.max_calls_per_caller, 1, kMaxCallsPerCaller);
  if (auto tls = server.Table("tls")) ReadServerTls(*tls);
  server.Finish();
}

void ConfigReader::ReadServerTls(ConfigTable& tls) {
  ServerTlsConfig& config = config_.server.tls;
  tls.Read("certificate", config.certificate, OrEmpty(WrongWithFile));
  tls.Read("private_key", config.private_key, OrEmpty(WrongWithSecretFile));
  tls.Read("client_ca", config.client_ca, OrEmpty(WrongWithFile));
  tls.Read("client_crl_directory", config.client_crl_directory, OrEmpty(WrongWithPath));
  tls.Finish();
}

void ConfigReader::ReadAccess(ConfigTable& file) {
  std::vector<AccessConfig> access;
  for (ConfigTable& table : file.Tables("access")) {
    AccessConfig rule;
    std::string role;
    if (table.Read("role", role, OneOf({"compute", "admin"}))) {
      rule.role = role == "admin" ? Role::kAdmin : Role::kCompute;
    } else if (!table.Has("role")) {
      table.FailTable(R"(has no role; write role = "compute" or "admin")");
    }
    table.Read("users", rule.users, WrongWithAccount, /*need_one=*/false);
    table.Read("groups", rule.groups, WrongWithAccount, /*need_one=*/false);
    table.Read("certificate_names", rule.certificate_names, WrongWithCertificateName, /*need_one=*/false);
    const bool names_nobody = rule.users.empty() && rule.groups.empty() && rule.certificate_names.empty();
    const bool fell_short = std::ranges::any_of(std::array{".users", ".groups", ".certificate_names"}, [&](auto* key) {
      return report_.HasFailed(absl::StrCat(table.Path(), key));
    });
    if (names_nobody && !fell_short) {
      table.FailTable("gives a role to nobody; it needs users, groups or certificate_names");
    }
    table.Finish();
    access.push_back(std::move(rule));
  }
  if (file.Has("access")) config_.access = std::move(access);
}

void ConfigReader::ReadVolumes(ConfigTable& volumes) {
  VolumesConfig& config = config_.volumes;
  std::string word;
  if (volumes.Read("first_use", word, OneOf({"format-if-blank", "refuse"}))) {
    config.format_if_blank = word == "format-if-blank";
  }
  if (volumes.Read("format", word, WrongWithFormat)) {
    config.encryption.format = word == "luks1" ? Format::kLuks1 : Format::kLuks2;
  }
  volumes.Read("cipher", config.encryption.cipher, [](const std::string&) { return ""; });
  volumes.Read("key_size_bits", config.encryption.key_size_bits, 1, kMaxKeySizeBits);
  volumes.Read("sector_size_bytes", config.encryption.sector_size_bytes, 0, kMaxSectorSizeBytes);
  volumes.Read("device_prefixes", config.device_prefixes, WrongWithDevicePrefix, /*need_one=*/true);
  volumes.Read("allowed_ciphers", config.allowed_ciphers, WrongWithAllowedCipher, /*need_one=*/true);
  volumes.Finish();
}

void ConfigReader::ReadKeyManager(ConfigTable& key_manager) {
  key_manager.Read("default", config_.key_managers.default_name, WrongWithKeyManagerName);
  key_manager.Finish();
}

void ConfigReader::ReadKeyManagers(ConfigTable& key_managers) {
  // Whoever names sections means those: the built-in one must not make a key store that nobody asked for.
  if (key_manager_names_.empty()) config_.key_managers.sections.clear();
  for (const std::string& name : key_managers.Keys()) {
    auto section = key_managers.Table(name);
    const bool is_new = key_manager_names_.insert(name).second;
    if (const std::string wrong = WrongWithKeyManagerName(name); !wrong.empty()) {
      key_managers.Fail(name, wrong);
      continue;
    }
    if (!section) continue;
    auto* const typed = TypedSection(*section, name, is_new);
    if (typed != nullptr) ReadKeyManagerSection(*section, *typed);
  }
}

// Null when the type is wrong: then nobody can say which of the other keys are.
KeyManagersConfig::Section* ConfigReader::TypedSection(ConfigTable& section, const std::string& name, bool is_new) {
  auto& sections = config_.key_managers.sections;
  std::string type;
  if (!section.Read("type", type, WrongWithKeyManagerType)) {
    if (section.Has("type")) return nullptr;
    if (is_new) section.FailTable(absl::StrCat("has no type; the types are: ", KeyManagerTypeList()));
    const auto known = sections.find(name);
    return known == sections.end() ? nullptr : &known->second;
  }
  const KeyManagersConfig::Section fresh = *NewKeyManagerSection(type);
  const auto [known, inserted] = sections.try_emplace(name, fresh);
  if (known->second.index() == fresh.index()) return &known->second;
  section.Fail("type", "is another one than in an earlier file; give the section another name");
  return nullptr;
}

void ConfigReader::ReadLibvirt(ConfigTable& libvirt) {
  LibvirtConfig& config = config_.libvirt;
  libvirt.Read("uri", config.uri, WrongWithLibvirtUri);
  std::string word;
  if (libvirt.Read("secrets", word, OneOf({"ephemeral", "persistent"}))) config.persistent = word == "persistent";
  libvirt.Read("records", config.records, WrongWithFile);
  libvirt.Finish();
}

ConfigResult ConfigReader::Finish() {
  CheckServerTls();
  CheckEncryption();
  CheckKeyManagers();
  return {.config = std::move(config_), .errors = report_.Errors(), .places = report_.Places()};
}

void ConfigReader::CheckServerTls() {
  const ServerConfig& server = config_.server;
  const bool needs_tls =
      std::ranges::any_of(server.listen, [](const std::string& where) { return absl::StartsWith(where, kTcpPrefix); });
  if (!needs_tls) return;
  const std::array<std::pair<const char*, bool>, 3> needed = {{{"certificate", !server.tls.certificate.empty()},
                                                               {"private_key", !server.tls.private_key.empty()},
                                                               {"client_ca", !server.tls.client_ca.empty()}}};
  for (const auto& [key, is_there] : needed) {
    const std::string whole = absl::StrCat("server.tls.", key);
    if (is_there || report_.HasFailed(whole)) continue;
    report_.Fail(report_.PlaceOf({whole, "server.tls", "server.listen"}), whole,
                 "is missing; whoever listens on TCP shows a certificate and asks callers for theirs");
  }
}

void ConfigReader::CheckEncryption() {
  const VolumesConfig& volumes = config_.volumes;
  for (const EncryptionFault& fault : FaultsOf(volumes.encryption, volumes.allowed_ciphers)) {
    const std::string key = absl::StrCat("volumes.", fault.field);
    // What one wrong value does to another is no second mistake.
    if (report_.HasFailed(key) || report_.HasFailed("volumes.cipher") || report_.HasFailed("volumes.format")) continue;
    report_.Fail(report_.PlaceOf({key, "volumes.cipher", "volumes.allowed_ciphers", "volumes.format"}), key,
                 fault.what);
  }
}

void ConfigReader::CheckKeyManagers() {
  const KeyManagersConfig& config = config_.key_managers;
  const bool is_seen =
      key_manager_names_.contains(config.default_name) || config.sections.contains(config.default_name);
  if (!is_seen && !report_.HasFailed("key_manager.default")) {
    const std::string names = key_manager_names_.empty() ? "none" : absl::StrJoin(key_manager_names_, ", ");
    report_.Fail(report_.PlaceOf({"key_manager.default", "key_managers"}), "key_manager.default",
                 absl::StrCat(Quoted(config.default_name), " names no section of [key_managers]; there are: ", names));
  }
  for (const auto& [name, section] : config.sections) CheckKeyManagerSection(name, section, report_);
  CheckStorePaths();
  CheckFixedKeys();
}

void ConfigReader::CheckStorePaths() {
  std::map<std::string, std::string> section_of_path;
  for (const auto& [name, section] : config_.key_managers.sections) {
    const auto* const local = std::get_if<LocalKeyManagerConfig>(&section);
    if (local == nullptr) continue;
    const std::string& path = local->path;
    const auto [other, is_first] = section_of_path.try_emplace(path, name);
    if (is_first) continue;
    const std::string key = absl::StrCat("key_managers.", name);
    report_.Fail(report_.PlaceOf({absl::StrCat(key, ".path"), key}), absl::StrCat(key, ".path"),
                 absl::StrCat(Quoted(path), " is the key store of [key_managers.", other->second,
                              "] too; give each a file of its own"));
  }
}

// The id of the fixed key is the same in all of them, and callers name none.
void ConfigReader::CheckFixedKeys() {
  const KeyManagersConfig& config = config_.key_managers;
  std::vector<std::string> names;
  for (const auto& [name, section] : config.sections) {
    if (std::holds_alternative<FixedKeyConfig>(section)) names.push_back(name);
  }
  if (names.size() < 2 || std::ranges::find(names, config.default_name) != names.end()) return;
  const std::string key = absl::StrCat("key_managers.", names.back());
  report_.Fail(report_.PlaceOf({key}), key,
               absl::StrCat("is of type \"conf\", as is [key_managers.", names.front(),
                            "], and neither is the default: keep one, so that it is clear whose the fixed key is"));
}

}  // namespace volcrypt
