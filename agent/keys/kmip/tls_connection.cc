#include "agent/keys/kmip/tls_connection.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "agent/keys/kmip/tcp_socket.h"
#include "agent/keys/kmip/tls_errors.h"
#include "encryptors/reason.h"

namespace volcrypt {

// OpenSSL's own socket BIO writes with write(2), which raises SIGPIPE.
struct SocketBio {
  using Socket = TlsConnection::Socket;

  static int Result(BIO* bio, Socket& socket, ssize_t done, int retry_flag) {
    BIO_clear_retry_flags(bio);
    if (done >= 0) return static_cast<int>(done);
    if (errno == EAGAIN || errno == EINTR) {
      BIO_set_flags(bio, retry_flag | BIO_FLAGS_SHOULD_RETRY);
    } else {
      socket.error = errno;
    }
    return -1;
  }

  static int Write(BIO* bio, const char* data, int size) {
    auto& socket = *static_cast<Socket*>(BIO_get_data(bio));
    const ssize_t done = send(socket.fd.Get(), data, static_cast<size_t>(size), MSG_NOSIGNAL | MSG_DONTWAIT);
    return Result(bio, socket, done, BIO_FLAGS_WRITE);
  }

  static int Read(BIO* bio, char* data, int size) {
    auto& socket = *static_cast<Socket*>(BIO_get_data(bio));
    const ssize_t done = recv(socket.fd.Get(), data, static_cast<size_t>(size), MSG_DONTWAIT);
    return Result(bio, socket, done, BIO_FLAGS_READ);
  }

  static long Control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

  static BIO_METHOD* MakeMethod() {
    BIO_METHOD* const method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket without SIGPIPE");
    if (method == nullptr) return nullptr;
    BIO_meth_set_write(method, Write);
    BIO_meth_set_read(method, Read);
    BIO_meth_set_ctrl(method, Control);
    return method;
  }

  static BIO* New(Socket& socket) {
    static BIO_METHOD* const method = MakeMethod();
    BIO* const bio = method == nullptr ? nullptr : BIO_new(method);
    if (bio == nullptr) return nullptr;
    BIO_set_data(bio, &socket);
    BIO_set_init(bio, 1);
    return bio;
  }
};

namespace {

bool IsAddress(const std::string& host) {
  std::array<uint8_t, sizeof(in6_addr)> address = {};
  return inet_pton(AF_INET, host.c_str(), address.data()) == 1 ||
         inet_pton(AF_INET6, host.c_str(), address.data()) == 1;
}

// Certificates name addresses and hosts in different fields; only hosts are told to the server (RFC 6066).
bool ExpectHost(SSL* ssl, const std::string& host) {
  X509_VERIFY_PARAM* const expected = SSL_get0_param(ssl);
  X509_VERIFY_PARAM_set_hostflags(expected, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  if (IsAddress(host)) return X509_VERIFY_PARAM_set1_ip_asc(expected, host.c_str()) == 1;
  return X509_VERIFY_PARAM_set1_host(expected, host.c_str(), host.size()) == 1 &&
         SSL_set_tlsext_host_name(ssl, host.c_str()) == 1;
}

std::string CertificateProblem(long result) {
  const std::string text =
      absl::StrCat("the server's certificate is not accepted: ", X509_verify_cert_error_string(result));
  switch (result) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return absl::StrCat(text, "; write the server in servers as its certificate names it");
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return absl::StrCat(text, "; renew it, or set this host's clock");
    default:
      return absl::StrCat(text, "; check ca_file");
  }
}

absl::Status Unavailable(std::string_view what) { return MakeError(Reason::kKeyManagerUnavailable, what); }

}  // namespace

void TlsConnection::Free::operator()(ssl_st* ssl) const { SSL_free(ssl); }

TlsConnection::~TlsConnection() {
  if (ssl_ == nullptr) return;
  // Tells the server as far as that is possible at once; SSL_shutdown may not be called after an error.
  if (SSL_is_init_finished(ssl_.get()) == 1 && !broken_) SSL_shutdown(ssl_.get());
  ERR_clear_error();
}

absl::StatusOr<std::unique_ptr<TlsConnection>> TlsConnection::Handshake(const TlsContext& context, UniqueFd socket,
                                                                        const std::string& host, absl::Time deadline) {
  std::unique_ptr<TlsConnection> connection(new TlsConnection(std::move(socket)));
  if (absl::Status set_up = connection->SetUp(context, host); !set_up.ok()) return set_up;
  SSL* const ssl = connection->ssl_.get();
  if (absl::Status done = connection->Drive([ssl] { return SSL_do_handshake(ssl); }, deadline); !done.ok()) return done;
  return connection;
}

absl::Status TlsConnection::SetUp(const TlsContext& context, const std::string& host) {
  ERR_clear_error();
  ssl_.reset(SSL_new(context.Get()));
  BIO* const bio = ssl_ == nullptr ? nullptr : SocketBio::New(socket_);
  if (bio == nullptr) return Unavailable(absl::StrCat("TLS cannot be set up: ", TakeTlsError()));
  SSL_set_bio(ssl_.get(), bio, bio);
  SSL_set_connect_state(ssl_.get());
  if (ExpectHost(ssl_.get(), host)) return absl::OkStatus();
  return Unavailable(absl::StrCat("TLS cannot be set up: ", TakeTlsError()));
}

absl::Status TlsConnection::Write(std::span<const uint8_t> bytes, absl::Time deadline) {
  size_t written = 0;
  return Drive([&] { return SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &written); }, deadline);
}

absl::Status TlsConnection::Read(std::span<uint8_t> bytes, absl::Time deadline) {
  while (!bytes.empty()) {
    size_t got = 0;
    absl::Status read = Drive([&] { return SSL_read_ex(ssl_.get(), bytes.data(), bytes.size(), &got); }, deadline);
    if (!read.ok()) return read;
    bytes = bytes.subspan(got);
  }
  return absl::OkStatus();
}

bool TlsConnection::IsQuiet() {
  ERR_clear_error();
  // What TLS itself sends between answers, such as tickets, is taken in here.
  uint8_t byte = 0;
  size_t got = 0;
  const int result = SSL_peek_ex(ssl_.get(), &byte, 1, &got);
  const bool quiet = result != 1 && SSL_get_error(ssl_.get(), result) == SSL_ERROR_WANT_READ;
  ERR_clear_error();
  return quiet;
}

TlsFacts TlsConnection::Facts() const {
  const X509* const certificate = SSL_get0_peer_certificate(ssl_.get());
  return {
      .protocol = SSL_get_version(ssl_.get()),
      .cipher = SSL_get_cipher_name(ssl_.get()),
      .certificate_expires = certificate == nullptr ? absl::InfinitePast() : TimeOf(X509_get0_notAfter(certificate))};
}

absl::Status TlsConnection::Drive(absl::FunctionRef<int()> step, absl::Time deadline) {
  for (;;) {
    ERR_clear_error();
    const int result = step();
    if (result == 1) return absl::OkStatus();
    const int error = SSL_get_error(ssl_.get(), result);
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) return Failure(error);
    const short events = error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT;
    if (absl::Status ready = WaitForSocket(socket_.fd.Get(), events, deadline); !ready.ok()) return ready;
  }
}

absl::Status TlsConnection::Failure(int ssl_error) {
  broken_ = true;
  const long verified = SSL_get_verify_result(ssl_.get());
  if (verified != X509_V_OK) return Unavailable(CertificateProblem(verified));
  if (socket_.error != 0) {
    return Unavailable(absl::StrCat("the connection broke: ", std::generic_category().message(socket_.error)));
  }
  const bool closed = ssl_error == SSL_ERROR_ZERO_RETURN || ssl_error == SSL_ERROR_SYSCALL ||
                      ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
  if (closed) {
    return Unavailable(
        SSL_is_init_finished(ssl_.get()) == 1
            ? "the server closed the connection"
            : "the server closed the connection during the TLS handshake; check that it speaks TLS there");
  }
  return Unavailable(absl::StrCat("TLS failed: ", TakeTlsError()));
}

}  // namespace volcrypt
