#pragma once

#include <grpcpp/security/server_credentials.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "agent/config.h"

namespace volcrypt {

// Mutual TLS, 1.2 or later, for what listens on TCP: callers without a certificate of client_ca's are turned away in
// the handshake. The files are looked at every few seconds and a pair of certificate and key that fits replaces the one
// in use, for new connections. With client_crl_directory a certificate that a list there revokes is turned away too; an
// authority without a list there revokes none.
//
// `credentials_directory` is systemd's, empty without one. INVALID_FIELD names the key of the configuration whose file
// cannot be used, and why.
absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> MakeServerCredentials(
    const ServerTlsConfig& tls, const std::string& credentials_directory);

}  // namespace volcrypt
