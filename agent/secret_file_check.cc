#include "agent/secret_file_check.h"

#include <unistd.h>

#include <cerrno>
#include <functional>
#include <optional>
#include <variant>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "agent/keys/conf/fixed_key_manager.h"
#include "agent/keys/kmip/tls_context.h"
#include "agent/keys/local/key_encryption_key.h"
#include "agent/keys/private_file.h"
#include "agent/keys/secret_file.h"
#include "agent/server_tls_files.h"

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
    for (const TlsFileFault& fault : CheckServerTlsFiles(tls, Locate("private_key", tls.private_key))) {
      Fail(fault.key, fault.what);
    }
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
    const size_t before = findings_.errors.size();
    CheckFile("client_certificate", kmip.client_certificate, Readable);
    CheckFile("client_private_key", kmip.client_private_key, Secret);
    CheckFile("ca_file", kmip.ca_file, Readable);
    CheckFile("password_file", kmip.password_file, Line);
    if (findings_.errors.size() == before) CheckTogether(kmip);
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

  bool IsOutOfSight(const std::string& configured) const {
    return credentials_.empty() && absl::StartsWith(configured, "credential:");
  }

  // Nothing, and said so, when it is not set or is nowhere that one could look.
  std::optional<SecretFile> Locate(const std::string& key, const std::string& configured) {
    if (configured.empty()) return std::nullopt;
    if (IsOutOfSight(configured)) {
      findings_.notes.push_back(
          absl::StrCat(path_, ".", key, ": ", configured, " was not looked at: only systemd gives it out"));
      return std::nullopt;
    }
    absl::StatusOr<SecretFile> file = LocateSecret(key, configured, credentials_);
    if (file.ok()) return *std::move(file);
    Fail(key, std::string(file.status().message()));
    return std::nullopt;
  }

  void CheckFile(const std::string& key, const std::string& configured, const Look& look) {
    const std::optional<SecretFile> file = Locate(key, configured);
    if (!file) return;
    if (absl::Status found = look(*file, key); !found.ok()) Fail(key, std::string(found.message()));
  }

  // Files that can be read may still be none for TLS, or not belong together.
  void CheckTogether(const KmipConfig& kmip) {
    TlsFiles files{.certificate = "", .private_key = {}, .ca_file = kmip.ca_file};
    if (!IsOutOfSight(kmip.client_certificate) && !IsOutOfSight(kmip.client_private_key)) {
      files.certificate = Locate("client_certificate", kmip.client_certificate).value_or(SecretFile{}).path;
      files.private_key = Locate("client_private_key", kmip.client_private_key).value_or(SecretFile{});
    }
    if (absl::Status usable = TlsContext::Load(files).status(); !usable.ok()) {
      Fail("client_certificate", std::string(usable.message()));
    }
  }

  void Fail(const std::string& key, const std::string& what) {
    const std::string whole = absl::StrCat(path_, ".", key);
    const auto found = config_.places.find(whole);
    const ConfigPlace place = found == config_.places.end() ? ConfigPlace{} : found->second;
    findings_.errors.push_back({.file = place.file, .line = place.line, .key = whole, .what = what});
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
