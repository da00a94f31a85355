#include "agent/secret_file_check.h"

#include <unistd.h>

#include <cerrno>
#include <functional>
#include <variant>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "agent/keys/conf/fixed_key_manager.h"
#include "agent/keys/local/key_encryption_key.h"
#include "agent/keys/private_file.h"
#include "agent/keys/secret_file.h"

namespace volcrypt {
namespace {

// What is read of a file here is wiped at once.
class SectionFiles {
 public:
  // `path` is the section's own key.
  SectionFiles(std::string path, const ConfigResult& config, const std::string& credentials,
               SecretFileFindings& findings)
      : path_(std::move(path)), config_(config), credentials_(credentials), findings_(findings) {}

  void Check(const ServerTlsConfig& tls) {
    CheckFile("certificate", tls.certificate, Readable);
    CheckFile("private_key", tls.private_key, Secret);
    CheckFile("client_ca", tls.client_ca, Readable);
    CheckFile("client_crl_directory", tls.client_crl_directory, Readable);
  }

  void Check(const LocalKeyManagerConfig& local) {
    CheckFile("kek_file", local.kek_file, [](const SecretFile& file, const std::string&) {
      const auto kek = LoadKeyEncryptionKey(file.path, file.is_credential);
      if (!kek.ok() || kek->has_value() || !file.is_credential) return kek.status();
      return absl::NotFoundError(absl::StrCat("the credential ", file.path, " does not exist"));
    });
  }

  void Check(const BarbicanConfig& barbican) {
    CheckFile("application_credential_secret_file", barbican.application_credential_secret_file, Line);
    CheckFile("password_file", barbican.password_file, Line);
    CheckFile("ca_file", barbican.ca_file, Readable);
  }

  void Check(const FixedKeyConfig& fixed) {
    CheckFile("fixed_key_file", fixed.fixed_key_file, [&fixed](const SecretFile& file, const std::string&) {
      return FixedKeyManager::Open({.file = file, .high_entropy = fixed.high_entropy}).status();
    });
  }

  void Check(const KmipConfig& kmip) {
    CheckFile("client_certificate", kmip.client_certificate, Readable);
    CheckFile("client_private_key", kmip.client_private_key, Secret);
    CheckFile("ca_file", kmip.ca_file, Readable);
    CheckFile("password_file", kmip.password_file, Line);
  }

 private:
  using Look = std::function<absl::Status(const SecretFile& file, const std::string& what)>;

  static absl::Status Secret(const SecretFile& file, const std::string& what) {
    return ReadSecretFile(file, what).status();
  }

  static absl::Status Line(const SecretFile& file, const std::string& what) {
    return ReadSecretLine(file, what).status();
  }

  static absl::Status Readable(const SecretFile& file, const std::string& what) {
    if (eaccess(file.path.c_str(), R_OK) == 0) return absl::OkStatus();
    return FileError(what, file.path, "cannot be read", errno);
  }

  void CheckFile(const std::string& key, const std::string& configured, const Look& look) {
    if (configured.empty()) return;
    const std::string whole = absl::StrCat(path_, ".", key);
    if (credentials_.empty() && absl::StartsWith(configured, "credential:")) {
      findings_.notes.push_back(absl::StrCat(whole, ": ", configured, " was not looked at: only systemd gives it out"));
      return;
    }
    const absl::StatusOr<SecretFile> file = LocateSecret(key, configured, credentials_);
    const absl::Status found = file.ok() ? look(*file, key) : file.status();
    if (!found.ok()) Fail(whole, std::string(found.message()));
  }

  void Fail(const std::string& key, const std::string& what) {
    const auto found = config_.places.find(key);
    const ConfigPlace place = found == config_.places.end() ? ConfigPlace{} : found->second;
    findings_.errors.push_back({.file = place.file, .line = place.line, .key = key, .what = what});
  }

  const std::string path_;
  const ConfigResult& config_;
  const std::string& credentials_;
  SecretFileFindings& findings_;
};

}  // namespace

SecretFileFindings CheckSecretFiles(const ConfigResult& config, const std::string& credentials_directory) {
  SecretFileFindings findings;
  SectionFiles("server.tls", config, credentials_directory, findings).Check(config.config.server.tls);
  for (const auto& [name, section] : config.config.key_managers.sections) {
    SectionFiles files(absl::StrCat("key_managers.", name), config, credentials_directory, findings);
    std::visit([&files](const auto& kind) { files.Check(kind); }, section);
  }
  return findings;
}

}  // namespace volcrypt
