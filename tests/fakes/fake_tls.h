#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>

#include "tests/fakes/fake_http_server.h"

namespace volcrypt {

// TLS for a FakeHttpServer, with a certificate of its own making that signs itself.
class FakeTls {
 public:
  struct Options {
    std::string name = "IP:127.0.0.1";  // subject alternative name
    int max_version = TLS1_3_VERSION;
  };

  // Writes the certificate to `ca_file`, for those who shall trust it.
  FakeTls(const std::string& ca_file, const Options& options);
  explicit FakeTls(const std::string& ca_file) : FakeTls(ca_file, Options()) {}

  // This outlives the server.
  FakeTransportFactory Transport() const;

 private:
  struct Free {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  };

  std::unique_ptr<SSL_CTX, Free> context_;
};

}  // namespace volcrypt
