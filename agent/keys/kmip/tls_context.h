#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/keys/secret_file.h"

struct ssl_ctx_st;

namespace volcrypt {

// What a client needs for mutual TLS, PEM files.
struct TlsFiles {
  std::string certificate;  // with the chain below it; empty: the client has none
  SecretFile private_key;   // without a passphrase
  std::string ca_file;      // empty: the system's
};

// TLS 1.2 or later for connections that verify the server. Immutable; used by several threads at once.
class TlsContext {
 public:
  // KEY_MANAGER_UNAVAILABLE or KEY_UNFIT names the file and what is wrong with it.
  static absl::StatusOr<TlsContext> Load(const TlsFiles& files);

  // Nothing when the client has no certificate.
  std::optional<absl::Time> CertificateExpires() const;

  ssl_ctx_st* Get() const { return context_.get(); }

 private:
  struct Free {
    void operator()(ssl_ctx_st* context) const;
  };

  explicit TlsContext(std::unique_ptr<ssl_ctx_st, Free> context) : context_(std::move(context)) {}
  absl::Status UseCertificate(const std::string& path);
  absl::Status UsePrivateKey(const SecretFile& file);
  absl::Status TrustIssuers(const std::string& ca_file);

  std::unique_ptr<ssl_ctx_st, Free> context_;
};

}  // namespace volcrypt
