#include "agent/keys/kmip/tls_context.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "agent/keys/kmip/tls_errors.h"
#include "encryptors/reason.h"

namespace volcrypt {
namespace {

constexpr absl::string_view kKeyWhat = "the client's private key";

struct FreeBio {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
struct FreeKey {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};

// OpenSSL's own would ask at the terminal.
int NoPassphrase(char*, int, int, void*) { return -1; }

absl::Status FileProblem(absl::string_view what, const std::string& path, absl::string_view advice) {
  return MakeError(Reason::kKeyManagerUnavailable,
                   absl::StrCat(what, " ", path, " cannot be used: ", TakeTlsError(), advice), {{"path", path}});
}

// Resumption would keep secrets of old connections for little: connections are kept. What a connection read and its
// buffers are wiped, because a key was in them.
bool SetRules(SSL_CTX* context) {
  SSL_CTX_set_options(context, SSL_OP_CLEANSE_PLAINTEXT | SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1;
}

}  // namespace

void TlsContext::Free::operator()(ssl_ctx_st* context) const { SSL_CTX_free(context); }

absl::StatusOr<TlsContext> TlsContext::Load(const TlsFiles& files) {
  ERR_clear_error();
  TlsContext context(std::unique_ptr<ssl_ctx_st, Free>(SSL_CTX_new(TLS_client_method())));
  if (context.Get() == nullptr || !SetRules(context.Get())) {
    return MakeError(Reason::kKeyManagerUnavailable, absl::StrCat("TLS cannot be set up: ", TakeTlsError()));
  }
  if (absl::Status trusted = context.TrustIssuers(files.ca_file); !trusted.ok()) return trusted;
  if (files.certificate.empty()) return context;
  if (absl::Status used = context.UseCertificate(files.certificate); !used.ok()) return used;
  if (absl::Status used = context.UsePrivateKey(files.private_key); !used.ok()) return used;
  return context;
}

absl::Status TlsContext::UseCertificate(const std::string& path) {
  if (SSL_CTX_use_certificate_chain_file(Get(), path.c_str()) == 1) return absl::OkStatus();
  return FileProblem("the client's certificate", path, "; it must be a PEM file, the certificate first");
}

absl::Status TlsContext::UsePrivateKey(const SecretFile& file) {
  const absl::StatusOr<SecretBytes> pem = ReadSecretFile(file, kKeyWhat);
  if (!pem.ok()) return pem.status();
  const std::unique_ptr<BIO, FreeBio> bio(BIO_new_mem_buf(pem->Bytes().data(), static_cast<int>(pem->Size())));
  const std::unique_ptr<EVP_PKEY, FreeKey> key(
      bio == nullptr ? nullptr : PEM_read_bio_PrivateKey(bio.get(), nullptr, NoPassphrase, nullptr));
  if (key == nullptr) return FileProblem(kKeyWhat, file.path, "; it must be a PEM file without a passphrase");
  if (SSL_CTX_use_PrivateKey(Get(), key.get()) == 1 && SSL_CTX_check_private_key(Get()) == 1) return absl::OkStatus();
  return FileProblem(kKeyWhat, file.path, "; it must be the key of client_certificate");
}

absl::Status TlsContext::TrustIssuers(const std::string& ca_file) {
  const bool trusted = ca_file.empty() ? SSL_CTX_set_default_verify_paths(Get()) == 1
                                       : SSL_CTX_load_verify_file(Get(), ca_file.c_str()) == 1;
  if (trusted) return absl::OkStatus();
  return FileProblem("ca_file", ca_file, "; it must be a PEM file of certificates");
}

std::optional<absl::Time> TlsContext::CertificateExpires() const {
  const X509* const certificate = SSL_CTX_get0_certificate(Get());
  if (certificate == nullptr) return std::nullopt;
  return TimeOf(X509_get0_notAfter(certificate));
}

}  // namespace volcrypt
