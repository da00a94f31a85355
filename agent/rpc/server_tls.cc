#include "agent/rpc/server_tls.h"

#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "agent/keys/secret_file.h"
#include "encryptors/reason.h"

namespace volcrypt {
namespace {

constexpr unsigned kRefreshSeconds = 5;

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

absl::Status Unusable(absl::string_view key, const std::string& path, absl::string_view why) {
  return MakeError(Reason::kInvalidField, absl::StrCat("server.tls.", key, ": ", path, " ", why),
                   {{"field", absl::StrCat("server.tls.", key)}});
}

std::string OpenSslError() {
  const uint64_t code = ERR_peek_error();
  ERR_clear_error();
  const char* const text = code == 0 ? nullptr : ERR_reason_error_string(code);
  return text == nullptr ? "it is not of this form" : text;
}

absl::StatusOr<Certificate> ReadCertificate(const std::string& path) {
  const Bio bio(BIO_new_file(path.c_str(), "r"));
  Certificate certificate(bio == nullptr ? nullptr : PEM_read_bio_X509(bio.get(), nullptr, NoPassphrase, nullptr));
  if (certificate == nullptr) {
    return Unusable("certificate", path,
                    absl::StrCat("must be a PEM file, the server's certificate first: ", OpenSslError()));
  }
  return certificate;
}

absl::StatusOr<PrivateKey> ReadPrivateKey(const SecretFile& file) {
  const absl::StatusOr<SecretBytes> pem = ReadSecretFile(file, "the server's private key");
  if (!pem.ok()) return Unusable("private_key", file.path, absl::StrCat("cannot be used: ", pem.status().message()));
  const Bio bio(BIO_new_mem_buf(pem->Bytes().data(), static_cast<int>(pem->Size())));
  PrivateKey key(bio == nullptr ? nullptr : PEM_read_bio_PrivateKey(bio.get(), nullptr, NoPassphrase, nullptr));
  if (key == nullptr) {
    return Unusable("private_key", file.path,
                    absl::StrCat("must be a PEM file without a passphrase: ", OpenSslError()));
  }
  return key;
}

// gRPC would start with files it cannot use, and say so at every handshake only.
absl::Status CheckFiles(const ServerTlsConfig& tls, const SecretFile& private_key) {
  ERR_clear_error();
  const absl::StatusOr<Certificate> certificate = ReadCertificate(tls.certificate);
  if (!certificate.ok()) return certificate.status();
  const absl::StatusOr<PrivateKey> key = ReadPrivateKey(private_key);
  if (!key.ok()) return key.status();
  if (X509_check_private_key(certificate->get(), key->get()) != 1) {
    return Unusable("private_key", private_key.path, "is not the key of server.tls.certificate");
  }
  const Store store(X509_STORE_new());
  if (store == nullptr || X509_STORE_load_file(store.get(), tls.client_ca.c_str()) != 1) {
    return Unusable("client_ca", tls.client_ca, absl::StrCat("must be a PEM file of certificates: ", OpenSslError()));
  }
  if (tls.client_crl_directory.empty()) return absl::OkStatus();
  struct stat status {};
  if (stat(tls.client_crl_directory.c_str(), &status) != 0) {
    return Unusable("client_crl_directory", tls.client_crl_directory, strerror(errno));
  }
  return S_ISDIR(status.st_mode) ? absl::OkStatus()
                                 : Unusable("client_crl_directory", tls.client_crl_directory, "is not a directory");
}

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> MakeServerCredentials(
    const ServerTlsConfig& tls, const std::string& credentials_directory) {
  const absl::StatusOr<SecretFile> key = LocateSecret("server.tls.private_key", tls.private_key, credentials_directory);
  if (!key.ok()) return key.status();
  if (absl::Status usable = CheckFiles(tls, *key); !usable.ok()) return usable;
  grpc::experimental::TlsServerCredentialsOptions options(
      std::make_shared<grpc::experimental::FileWatcherCertificateProvider>(key->path, tls.certificate, tls.client_ca,
                                                                           kRefreshSeconds));
  options.watch_identity_key_cert_pairs();
  options.watch_root_certs();
  options.set_cert_request_type(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  if (!tls.client_crl_directory.empty()) options.set_crl_directory(tls.client_crl_directory);
  return grpc::experimental::TlsServerCredentials(options);
}

}  // namespace volcrypt
