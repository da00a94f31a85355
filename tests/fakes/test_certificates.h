#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace volcrypt {

// A certificate and its key as PEM files; the key's is closed to others.
struct CertificateFiles {
  std::string certificate;
  std::string private_key;
};

// A certificate authority for one test, with all its files in one directory. Aborts when OpenSSL fails.
class TestCertificates {
 public:
  struct Subject {
    std::string common_name;
    std::string alternative_names;  // "DNS:localhost,IP:127.0.0.1"; may be empty
    std::string usage = "serverAuth";
    absl::Duration valid_for = absl::Hours(24);  // negative: it has expired
  };

  // `directory` exists.
  explicit TestCertificates(std::string directory);

  const std::string& AuthorityFile() const { return authority_file_; }
  CertificateFiles Issue(const Subject& subject);
  // Puts one more list, of this certificate and those before it, into a directory, where OpenSSL looks for it
  // (openssl-rehash(1)).
  void Revoke(const CertificateFiles& files, const std::string& directory);

 private:
  struct Free {
    void operator()(X509* certificate) const { X509_free(certificate); }
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  };
  using Certificate = std::unique_ptr<X509, Free>;
  using PrivateKey = std::unique_ptr<EVP_PKEY, Free>;

  Certificate Make(const Subject& subject, EVP_PKEY* key, bool is_authority);

  const std::string directory_;
  PrivateKey key_;
  Certificate certificate_;
  std::string authority_file_;
  long serial_ = 0;
  std::vector<long> revoked_;  // serial numbers
};

}  // namespace volcrypt
