#include "agent/server_tls_files.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace volcrypt {
namespace {

template <auto function>
struct FreeWith {
  template <typename T>
  void operator()(T* object) const {
    function(object);
  }
};
using Bio = std::unique_ptr<BIO, FreeWith<BIO_free>>;
using Certificate = std::unique_ptr<X509, FreeWith<X509_free>>;
using PrivateKey = std::unique_ptr<EVP_PKEY, FreeWith<EVP_PKEY_free>>;
using Store = std::unique_ptr<X509_STORE, FreeWith<X509_STORE_free>>;

// OpenSSL's own would ask at the terminal.
int NoPassphrase(char*, int, int, void*) { return -1; }

std::string OpenSslError() {
  const uint64_t code = ERR_peek_error();
  ERR_clear_error();
  const char* const text = code == 0 ? nullptr : ERR_reason_error_string(code);
  return text == nullptr ? "it is not of this form" : text;
}

class Files {
 public:
  Certificate ReadCertificate(const std::string& path) {
    if (path.empty()) return nullptr;
    const Bio bio(BIO_new_file(path.c_str(), "r"));
    Certificate certificate(bio == nullptr ? nullptr : PEM_read_bio_X509(bio.get(), nullptr, NoPassphrase, nullptr));
    if (certificate == nullptr) {
      Fail("certificate", path, absl::StrCat("must be a PEM file, the server's certificate first: ", OpenSslError()));
    }
    return certificate;
  }

  PrivateKey ReadPrivateKey(const SecretFile& file) {
    const absl::StatusOr<SecretBytes> pem = ReadSecretFile(file, "the server's private key");
    if (!pem.ok()) {
      Fail("private_key", file.path, absl::StrCat("cannot be used: ", pem.status().message()));
      return nullptr;
    }
    const Bio bio(BIO_new_mem_buf(pem->Bytes().data(), static_cast<int>(pem->Size())));
    PrivateKey key(bio == nullptr ? nullptr : PEM_read_bio_PrivateKey(bio.get(), nullptr, NoPassphrase, nullptr));
    if (key == nullptr) {
      Fail("private_key", file.path, absl::StrCat("must be a PEM file without a passphrase: ", OpenSslError()));
    }
    return key;
  }

  void CheckAuthorities(const std::string& path) {
    if (path.empty()) return;
    const Store store(X509_STORE_new());
    if (store == nullptr || X509_STORE_load_file(store.get(), path.c_str()) != 1) {
      Fail("client_ca", path, absl::StrCat("must be a PEM file of certificates: ", OpenSslError()));
    }
  }

  // OpenSSL takes a directory that it cannot read for one without lists, which revokes nothing.
  void CheckRevocations(const std::string& path) {
    if (path.empty()) return;
    struct stat status {};
    if (stat(path.c_str(), &status) == 0 && !S_ISDIR(status.st_mode)) {
      Fail("client_crl_directory", path, "is not a directory");
    } else if (eaccess(path.c_str(), R_OK | X_OK) != 0) {
      Fail("client_crl_directory", path, absl::StrCat("cannot be read: ", strerror(errno)));
    }
  }

  void Fail(absl::string_view key, const std::string& path, absl::string_view why) {
    faults_.push_back({.key = std::string(key), .what = absl::StrCat(path, " ", why)});
  }

  std::vector<TlsFileFault> TakeFaults() { return std::move(faults_); }

 private:
  std::vector<TlsFileFault> faults_;
};

}  // namespace

std::vector<TlsFileFault> CheckServerTlsFiles(const ServerTlsConfig& tls,
                                              const std::optional<SecretFile>& private_key) {
  ERR_clear_error();
  Files files;
  const Certificate certificate = files.ReadCertificate(tls.certificate);
  const PrivateKey key = private_key ? files.ReadPrivateKey(*private_key) : nullptr;
  if (certificate != nullptr && key != nullptr && X509_check_private_key(certificate.get(), key.get()) != 1) {
    files.Fail("private_key", private_key->path, "is not the key of server.tls.certificate");
    ERR_clear_error();
  }
  files.CheckAuthorities(tls.client_ca);
  files.CheckRevocations(tls.client_crl_directory);
  return files.TakeFaults();
}

}  // namespace volcrypt
