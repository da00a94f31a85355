#include "agent/keys/kmip/kmip_check.h"

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "agent/keys/kmip/host_addresses.h"
#include "agent/keys/kmip/kmip_answers.h"
#include "agent/keys/kmip/kmip_connection.h"
#include "agent/keys/kmip/kmip_payloads.h"
#include "agent/keys/kmip/kmip_result.h"
#include "agent/keys/kmip/tcp_socket.h"
#include "encryptors/reason.h"
#include "encryptors/valid_utf8.h"

namespace volcrypt {
namespace {

// Nobody's key: looking for it shows that the server knows who asks.
constexpr const char* kNameOfNothing = "volcrypt-check-of-authentication";

constexpr absl::Duration kExpiresSoon = absl::Hours(24 * 30);

constexpr std::array kReadOperations = {KmipOperation::kGet, KmipOperation::kGetAttributes, KmipOperation::kLocate};
constexpr std::array kCreateOperations = {KmipOperation::kCreate, KmipOperation::kRegister, KmipOperation::kActivate,
                                          KmipOperation::kRevoke, KmipOperation::kDestroy};

std::string DateText(absl::Time time) { return absl::FormatTime("%Y-%m-%d", time, absl::UTCTimeZone()); }

std::string ExpiryText(absl::string_view whose, absl::Time expires) {
  const absl::Duration left = expires - absl::Now();
  return absl::StrCat(whose, " certificate expires on ", DateText(expires),
                      left < absl::ZeroDuration() ? " (it has expired)"
                      : left < kExpiresSoon       ? absl::StrCat(" (in ", left / absl::Hours(24), " days)")
                                                  : "");
}

// The steps with one server. Each answers whether to go on.
class ServerCheck {
 public:
  ServerCheck(const KmipEndpoint& endpoint, const TlsContext& tls, const KmipCredential* credential,
              absl::Time deadline, std::vector<CheckStep>& steps)
      : endpoint_(endpoint), tls_(tls), credential_(credential), deadline_(deadline), steps_(steps) {}

  bool Run() { return Reach() && Encrypt() && Speak() && Authenticate() && Offer(); }

 private:
  bool Passed(const std::string& name, const std::string& detail) {
    steps_.push_back({.name = name, .passed = true, .detail = absl::StrCat(ToString(endpoint_), ": ", detail)});
    return true;
  }

  bool Failed(const std::string& name, Reason reason, absl::string_view detail, const std::string& remedy) {
    steps_.push_back({.name = name,
                      .passed = false,
                      .detail = absl::StrCat(ToString(endpoint_), ": ", detail),
                      .remedy = remedy,
                      .reason = reason});
    return false;
  }

  bool Failed(const std::string& name, const absl::Status& error, const std::string& remedy) {
    return Failed(name, ReasonOf(error).value_or(Reason::kKeyManagerUnavailable), error.message(), remedy);
  }

  bool Reach() {
    const absl::StatusOr<std::vector<SocketAddress>> addresses = ResolveHost(endpoint_, deadline_);
    if (!addresses.ok()) return Failed("resolve", addresses.status(), "check servers, and the host's DNS");
    Passed("resolve", absl::StrCat(addresses->size(), addresses->size() == 1 ? " address" : " addresses"));
    absl::StatusOr<UniqueFd> socket = ConnectTcp(*addresses, deadline_);
    if (!socket.ok()) {
      return Failed("connect", socket.status(), "check that the server runs and that no firewall is between");
    }
    socket_ = *std::move(socket);
    return Passed("connect", "connected");
  }

  bool Encrypt() {
    absl::StatusOr<std::unique_ptr<TlsConnection>> tls =
        TlsConnection::Handshake(tls_, std::move(socket_), endpoint_.host, deadline_);
    if (!tls.ok()) {
      return Failed("tls", tls.status(),
                    "check ca_file, client_certificate, client_private_key and the name in servers");
    }
    const TlsFacts facts = (*tls)->Facts();
    const std::optional<absl::Time> ours = tls_.CertificateExpires();
    connection_.emplace(*std::move(tls), credential_);
    return Passed("tls", absl::StrCat(facts.protocol, ", ", facts.cipher, "; ",
                                      ExpiryText("the server's", facts.certificate_expires), "; ",
                                      ours ? ExpiryText("our", *ours) : "we have no certificate"));
  }

  // In TLS 1.3 a server judges our certificate after the handshake, so that it may refuse it here.
  bool Speak() {
    if (absl::Status negotiated = connection_->NegotiateVersion(deadline_); !negotiated.ok()) {
      const bool denied = HasReason(negotiated, Reason::kKeyAccessDenied);
      return denied ? Failed("authenticate", negotiated, "check username, password_file and client_certificate")
                    : Failed("version", negotiated, "check client_certificate, and the server's log");
    }
    return Passed("version", absl::StrCat("KMIP ", connection_->Version().major, ".", connection_->Version().minor));
  }

  bool Authenticate() {
    const absl::StatusOr<KmipReply> reply = connection_->Exchange(LocateRequest(kNameOfNothing), deadline_);
    const std::string remedy = "check username, password_file, client_certificate and the client's rights";
    if (!reply.ok()) return Failed("authenticate", reply.status(), remedy);
    // Whoever may not look for keys is still known to the server.
    if (reply->response.error && *reply->response.error != KmipResultReason::kPermissionDenied &&
        *reply->response.error != KmipResultReason::kOperationNotSupported) {
      return Failed("authenticate", RefusalOf(KmipOperation::kLocate, *reply->response.error, ""), remedy);
    }
    return Passed("authenticate",
                  credential_ == nullptr ? "by certificate" : absl::StrCat("as ", credential_->username));
  }

  bool Offer() {
    const absl::StatusOr<KmipReply> reply = connection_->Exchange(QueryRequest(), deadline_);
    if (!reply.ok()) return Failed("read", reply.status(), "see the server's log");
    if (reply->response.error) {
      const std::string refusal(RefusalOf(KmipOperation::kQuery, *reply->response.error, "").message());
      return Passed("read", absl::StrCat("the server does not tell what it offers: ", refusal));
    }
    const absl::StatusOr<KmipServerFacts> facts = ReadServerFacts(reply->response);
    if (!facts.ok()) return Failed("read", facts.status(), "see the server's log");
    const std::string vendor = absl::Utf8SafeCHexEscape(ValidUtf8(facts->vendor.substr(0, 100)));
    return Offers("read", kReadOperations, *facts, vendor.empty() ? "" : absl::StrCat(vendor, "; ")) &&
           Offers("create", kCreateOperations, *facts, "");
  }

  template <size_t kCount>
  bool Offers(const std::string& step, const std::array<KmipOperation, kCount>& needed, const KmipServerFacts& facts,
              const std::string& before) {
    std::vector<std::string> offered;
    std::vector<std::string> missing;
    for (const KmipOperation operation : needed) {
      const bool has = std::ranges::find(facts.operations, operation) != facts.operations.end();
      (has ? offered : missing).push_back(NameOf(operation));
    }
    const std::string detail = absl::StrCat(before, "offers ", absl::StrJoin(offered, ", "));
    if (missing.empty()) return Passed(step, absl::StrCat(detail, "; which keys we may use, only using them tells"));
    return Failed(step, Reason::kKeyAccessDenied, absl::StrCat(detail, "; lacks ", absl::StrJoin(missing, ", ")),
                  "switch these operations on for this client in the server's configuration");
  }

  const KmipEndpoint& endpoint_;
  const TlsContext& tls_;
  const KmipCredential* const credential_;
  const absl::Time deadline_;
  std::vector<CheckStep>& steps_;
  UniqueFd socket_;
  std::optional<KmipConnection> connection_;
};

}  // namespace

bool CheckKmipServer(const KmipEndpoint& endpoint, const TlsContext& tls, const KmipCredential* credential,
                     absl::Time deadline, std::vector<CheckStep>& steps) {
  return ServerCheck(endpoint, tls, credential, deadline, steps).Run();
}

}  // namespace volcrypt
