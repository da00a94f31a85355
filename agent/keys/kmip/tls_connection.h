#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/keys/kmip/tls_context.h"
#include "encryptors/unique_fd.h"

struct ssl_st;

namespace volcrypt {

struct TlsFacts {
  std::string protocol;  // TLSv1.3
  std::string cipher;
  absl::Time certificate_expires;  // the server's
};

// A TLS connection to a server whose certificate was verified and is for the host that was asked for. Every call ends
// by its deadline. Errors are KEY_MANAGER_UNAVAILABLE and KEY_MANAGER_TIMED_OUT; after one the connection is of no more
// use. Not thread-safe.
class TlsConnection {
 public:
  // `socket` is connected and non-blocking; `host` is the name or address that the certificate must be for. `context`
  // need not outlive the connection.
  static absl::StatusOr<std::unique_ptr<TlsConnection>> Handshake(const TlsContext& context, UniqueFd socket,
                                                                  const std::string& host, absl::Time deadline);
  TlsConnection(const TlsConnection&) = delete;
  TlsConnection& operator=(const TlsConnection&) = delete;
  ~TlsConnection();

  absl::Status Write(std::span<const uint8_t> bytes, absl::Time deadline);
  // Fills `bytes`. OpenSSL keeps no copy of what was read.
  absl::Status Read(std::span<uint8_t> bytes, absl::Time deadline);
  // The server has neither closed it nor sent anything unasked.
  bool IsQuiet();

  TlsFacts Facts() const;

 private:
  // What OpenSSL reads and writes through: system calls that cannot raise SIGPIPE, and what became of them.
  struct Socket {
    UniqueFd fd;
    int error = 0;
  };
  struct Free {
    void operator()(ssl_st* ssl) const;
  };
  friend struct SocketBio;

  explicit TlsConnection(UniqueFd socket) : socket_{.fd = std::move(socket)} {}
  absl::Status SetUp(const TlsContext& context, const std::string& host);
  absl::Status Drive(absl::FunctionRef<int()> step, absl::Time deadline);
  absl::Status Failure(int ssl_error);

  Socket socket_;
  std::unique_ptr<ssl_st, Free> ssl_;
  bool broken_ = false;
};

}  // namespace volcrypt
