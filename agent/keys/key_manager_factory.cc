#include "agent/keys/key_manager_factory.h"

#include <sys/stat.h>

#include <memory>
#include <utility>
#include <variant>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "agent/keys/local/local_key_store.h"
#include "encryptors/reason.h"

namespace volcrypt {
namespace {

constexpr absl::string_view kCredentialPrefix = "credential:";
constexpr absl::string_view kDefaultCredential = "volcrypt.kek";

struct Opened {
  KeyManagers::Entry entry;
  std::vector<std::string> warnings;
};

absl::StatusOr<LocalKeyStoreOptions> OptionsOf(const LocalKeyManagerConfig& config, const std::string& credentials) {
  LocalKeyStoreOptions options;
  options.path = config.path;
  if (absl::StartsWith(config.kek_file, kCredentialPrefix)) {
    const std::string name = config.kek_file.substr(kCredentialPrefix.size());
    if (name.empty() || absl::StrContains(name, '/')) {
      return MakeError(Reason::kInvalidField, absl::StrCat("kek_file: \"", config.kek_file, "\" names no credential"),
                       {{"field", "kek_file"}});
    }
    if (credentials.empty()) {
      return MakeError(Reason::kInvalidField,
                       absl::StrCat("kek_file: \"", config.kek_file, "\" needs systemd's credentials (LoadCredential=",
                                    name, ":FILE in the unit); this process was started without them"),
                       {{"field", "kek_file"}});
    }
    options.kek_file = absl::StrCat(credentials, "/", name);
    options.kek_is_credential = true;
    return options;
  }
  options.kek_file = config.kek_file;
  const std::string usual = absl::StrCat(credentials, "/", kDefaultCredential);
  struct stat status = {};
  if (config.kek_file.empty() && !credentials.empty() && lstat(usual.c_str(), &status) == 0) {
    options.kek_file = usual;
    options.kek_is_credential = true;
  }
  return options;
}

absl::StatusOr<Opened> OpenSection(const LocalKeyManagerConfig& config, const std::string& credentials) {
  const absl::StatusOr<LocalKeyStoreOptions> options = OptionsOf(config, credentials);
  if (!options.ok()) return options.status();
  absl::StatusOr<std::unique_ptr<LocalKeyStore>> store = LocalKeyStore::Open(*options);
  if (!store.ok()) return store.status();
  std::vector<std::string> warnings = (*store)->Warnings();
  return Opened{.entry = {.type = "local", .manager = *std::move(store)}, .warnings = std::move(warnings)};
}

template <typename Config>
absl::StatusOr<Opened> OpenSection(const Config&, const std::string&) {
  return MakeError(Reason::kUnknownKeyManager, "this type is not there yet");
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
