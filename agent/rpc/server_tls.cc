#include "agent/rpc/server_tls.h"

#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "agent/keys/secret_file.h"
#include "agent/server_tls_files.h"
#include "encryptors/reason.h"

namespace volcrypt {
namespace {

constexpr unsigned kRefreshSeconds = 5;

// gRPC would start with files it cannot use, and say so at every handshake only.
absl::Status CheckFiles(const ServerTlsConfig& tls, const SecretFile& private_key) {
  const std::vector<TlsFileFault> faults = CheckServerTlsFiles(tls, private_key);
  if (faults.empty()) return absl::OkStatus();
  const std::string key = absl::StrCat("server.tls.", faults.front().key);
  return MakeError(Reason::kInvalidField, absl::StrCat(key, ": ", faults.front().what), {{"field", key}});
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
