#include "tests/fakes/fake_tls.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>

namespace volcrypt {
namespace {

constexpr long kDay = 24L * 60 * 60;

struct FreeKey {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using PrivateKey = std::unique_ptr<EVP_PKEY, FreeKey>;

struct FreeCertificate {
  void operator()(X509* certificate) const { X509_free(certificate); }
};
using Certificate = std::unique_ptr<X509, FreeCertificate>;

struct FreeExtension {
  void operator()(X509_EXTENSION* extension) const { X509_EXTENSION_free(extension); }
};

void Check(bool succeeded) {
  if (!succeeded) std::abort();
}

void AddExtension(X509* certificate, int id, const std::string& value) {
  const std::unique_ptr<X509_EXTENSION, FreeExtension> extension(
      X509V3_EXT_conf_nid(nullptr, nullptr, id, value.c_str()));
  Check(extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1);
}

Certificate MakeCertificate(EVP_PKEY* key, const std::string& name) {
  Certificate certificate(X509_new());
  Check(certificate != nullptr);
  X509_set_version(certificate.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -kDay);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), kDay);
  X509_NAME* const subject = X509_get_subject_name(certificate.get());
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("fake"), -1, -1, 0);
  X509_set_issuer_name(certificate.get(), subject);
  X509_set_pubkey(certificate.get(), key);
  AddExtension(certificate.get(), NID_subject_alt_name, name);
  AddExtension(certificate.get(), NID_basic_constraints, "critical,CA:TRUE");
  Check(X509_sign(certificate.get(), key, EVP_sha256()) != 0);
  return certificate;
}

class TlsTransport : public FakeTransport {
 public:
  explicit TlsTransport(SSL* connection) : connection_(connection) {}
  ~TlsTransport() override { SSL_free(connection_); }
  ssize_t Read(char* data, size_t size) override { return SSL_read(connection_, data, static_cast<int>(size)); }
  bool Write(const std::string& data) override {
    return SSL_write(connection_, data.data(), static_cast<int>(data.size())) > 0;
  }

 private:
  SSL* const connection_;
};

}  // namespace

FakeTls::FakeTls(const std::string& ca_file, const Options& options) : context_(SSL_CTX_new(TLS_server_method())) {
  // OpenSSL writes to sockets that the other side has closed.
  std::signal(SIGPIPE, SIG_IGN);
  const PrivateKey key(EVP_EC_gen("P-256"));
  Check(context_ != nullptr && key != nullptr);
  const Certificate certificate = MakeCertificate(key.get(), options.name);
  // The old versions of TLS are not to be had at a higher level.
  if (options.max_version < TLS1_2_VERSION) SSL_CTX_set_cipher_list(context_.get(), "DEFAULT@SECLEVEL=0");
  Check(SSL_CTX_use_certificate(context_.get(), certificate.get()) == 1 &&
        SSL_CTX_use_PrivateKey(context_.get(), key.get()) == 1 &&
        SSL_CTX_set_min_proto_version(context_.get(), TLS1_VERSION) == 1 &&
        SSL_CTX_set_max_proto_version(context_.get(), options.max_version) == 1);
  FILE* const file = std::fopen(ca_file.c_str(), "w");
  Check(file != nullptr && PEM_write_X509(file, certificate.get()) == 1 && std::fclose(file) == 0);
}

FakeTransportFactory FakeTls::Transport() const {
  return [context = context_.get()](int socket) -> std::unique_ptr<FakeTransport> {
    SSL* const connection = SSL_new(context);
    if (SSL_set_fd(connection, socket) == 1 && SSL_accept(connection) == 1) {
      return std::make_unique<TlsTransport>(connection);
    }
    SSL_free(connection);
    return nullptr;
  };
}

}  // namespace volcrypt
