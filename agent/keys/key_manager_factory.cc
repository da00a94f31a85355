#include "agent/keys/key_manager_factory.h"

#include <sys/stat.h>

#include <memory>
#include <utility>
#include <variant>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/keys/conf/fixed_key_manager.h"
#include "agent/keys/kmip/kmip_key_manager.h"
#include "agent/keys/local/local_key_store.h"
#include "agent/keys/openstack/barbican_key_manager.h"
#include "agent/keys/secret_file.h"
#include "encryptors/reason.h"

namespace volcrypt {
namespace {

constexpr char kDefaultKek[] = "volcrypt.kek";

struct Opened {
  KeyManagers::Entry entry;
  std::vector<std::string> warnings;
};

bool HasDefaultKek(const std::string& credentials) {
  struct stat status = {};
  return !credentials.empty() && lstat(absl::StrCat(credentials, "/", kDefaultKek).c_str(), &status) == 0;
}

absl::StatusOr<Opened> OpenSection(const LocalKeyManagerConfig& config, const std::string& credentials) {
  const bool use_default = config.kek_file.empty() && HasDefaultKek(credentials);
  const absl::StatusOr<SecretFile> kek =
      LocateSecret("kek_file", use_default ? absl::StrCat("credential:", kDefaultKek) : config.kek_file, credentials);
  if (!kek.ok()) return kek.status();
  absl::StatusOr<std::unique_ptr<LocalKeyStore>> store =
      LocalKeyStore::Open({.path = config.path, .kek_file = kek->path, .kek_is_credential = kek->is_credential});
  if (!store.ok()) return store.status();
  std::vector<std::string> warnings = (*store)->Warnings();
  return Opened{.entry = {.type = "local", .manager = *std::move(store)}, .warnings = std::move(warnings)};
}

absl::StatusOr<Opened> OpenSection(const FixedKeyConfig& config, const std::string& credentials) {
  const absl::StatusOr<SecretFile> file = LocateSecret("fixed_key_file", config.fixed_key_file, credentials);
  if (!file.ok()) return file.status();
  absl::StatusOr<std::unique_ptr<FixedKeyManager>> manager =
      FixedKeyManager::Open({.file = *file, .high_entropy = config.high_entropy});
  if (!manager.ok()) return manager.status();
  std::vector<std::string> warnings = (*manager)->Warnings();
  return Opened{.entry = {.type = "conf", .manager = *std::move(manager)}, .warnings = std::move(warnings)};
}

constexpr absl::string_view kInClear = " is not https: tokens and keys can be read, and answers faked, on the way";

absl::StatusOr<SecretBytes> ReadPassword(absl::string_view key, const std::string& file,
                                         const std::string& credentials) {
  const absl::StatusOr<SecretFile> located = LocateSecret(key, file, credentials);
  if (!located.ok()) return located.status();
  return ReadSecretLine(*located, key);
}

absl::StatusOr<Opened> OpenSection(const BarbicanConfig& config, const std::string& credentials) {
  absl::StatusOr<SecretBytes> secret =
      config.application_credential_id.empty()
          ? ReadPassword("password_file", config.password_file, credentials)
          : ReadPassword("application_credential_secret_file", config.application_credential_secret_file, credentials);
  if (!secret.ok()) return secret.status();
  absl::StatusOr<std::unique_ptr<BarbicanKeyManager>> manager = BarbicanKeyManager::Make(config, *std::move(secret));
  if (!manager.ok()) return manager.status();
  std::vector<std::string> warnings;
  for (const auto& [key, url] : {std::pair("auth_url", config.auth_url), std::pair("endpoint", config.endpoint)}) {
    if (absl::StartsWith(url, "http:")) warnings.push_back(absl::StrCat(key, " ", url, kInClear));
  }
  return Opened{.entry = {.type = "barbican", .manager = *std::move(manager)}, .warnings = std::move(warnings)};
}

absl::StatusOr<Opened> OpenSection(const KmipConfig& config, const std::string& credentials) {
  const absl::StatusOr<SecretFile> certificate =
      LocateSecret("client_certificate", config.client_certificate, credentials);
  if (!certificate.ok()) return certificate.status();
  const absl::StatusOr<SecretFile> private_key =
      LocateSecret("client_private_key", config.client_private_key, credentials);
  if (!private_key.ok()) return private_key.status();
  SecretBytes password;
  if (!config.password_file.empty()) {
    absl::StatusOr<SecretBytes> read = ReadPassword("password_file", config.password_file, credentials);
    if (!read.ok()) return read.status();
    password = *std::move(read);
  }
  KmipConfig located = config;
  located.client_certificate = certificate->path;
  located.client_private_key = private_key->path;
  absl::StatusOr<std::unique_ptr<KmipKeyManager>> manager =
      KmipKeyManager::Open(located, std::move(password), private_key->is_credential);
  if (!manager.ok()) return manager.status();
  return Opened{.entry = {.type = "kmip", .manager = *std::move(manager)}, .warnings = {}};
}

absl::Status UnknownDefault(const KeyManagersConfig& config) {
  const std::string names = absl::StrJoin(
      config.sections, ", ", [](std::string* out, const auto& section) { absl::StrAppend(out, section.first); });
  return MakeError(Reason::kUnknownKeyManager,
                   absl::StrCat("[key_manager] default: there is no section [key_managers.", config.default_name,
                                "]; there are: ", names),
                   {{"key_manager", config.default_name}});
}

}  // namespace

absl::StatusOr<KeyManagersResult> OpenKeyManagers(const KeyManagersConfig& config,
                                                  const std::string& credentials_directory) {
  if (!config.sections.contains(config.default_name)) return UnknownDefault(config);
  std::map<std::string, KeyManagers::Entry> entries;
  std::vector<std::string> warnings;
  for (const auto& [name, section] : config.sections) {
    const std::string prefix = absl::StrCat("[key_managers.", name, "] ");
    absl::StatusOr<Opened> opened =
        std::visit([&](const auto& kind) { return OpenSection(kind, credentials_directory); }, section);
    if (!opened.ok()) {
      const absl::Status& error = opened.status();
      return MakeError(ReasonOf(error).value_or(Reason::kKeyManagerUnavailable), absl::StrCat(prefix, error.message()),
                       MetadataOf(error));
    }
    for (const std::string& warning : opened->warnings) warnings.push_back(prefix + warning);
    entries.emplace(name, std::move(opened->entry));
  }
  return KeyManagersResult{.key_managers = KeyManagers(config.default_name, std::move(entries)),
                           .warnings = std::move(warnings)};
}

}  // namespace volcrypt
