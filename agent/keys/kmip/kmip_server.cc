#include "agent/keys/kmip/kmip_server.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/time/clock.h"
#include "agent/keys/kmip/host_addresses.h"
#include "agent/keys/kmip/tcp_socket.h"

namespace volcrypt {
namespace {

constexpr size_t kMaxIdle = 8;
// Below what servers and firewalls let idle connections live.
constexpr absl::Duration kMaxIdleTime = absl::Seconds(30);
constexpr absl::Duration kFailureRemembered = absl::Seconds(30);

}  // namespace

KmipServer::KmipServer(KmipEndpoint endpoint, const TlsContext& tls, const KmipCredential* credential)
    : endpoint_(std::move(endpoint)), tls_(tls), credential_(credential) {}

absl::StatusOr<std::unique_ptr<KmipConnection>> KmipServer::Connect(absl::Time deadline) {
  const absl::StatusOr<std::vector<SocketAddress>> addresses = ResolveHost(endpoint_, deadline);
  if (!addresses.ok()) return addresses.status();
  absl::StatusOr<UniqueFd> socket = ConnectTcp(*addresses, deadline);
  if (!socket.ok()) return socket.status();
  absl::StatusOr<std::unique_ptr<TlsConnection>> tls =
      TlsConnection::Handshake(tls_, *std::move(socket), endpoint_.host, deadline);
  if (!tls.ok()) return tls.status();
  auto connection = std::make_unique<KmipConnection>(*std::move(tls), credential_);
  {
    const std::lock_guard lock(mutex_);
    if (version_) {
      connection->UseVersion(*version_);
      return connection;
    }
  }
  if (absl::Status negotiated = connection->NegotiateVersion(deadline); !negotiated.ok()) return negotiated;
  const std::lock_guard lock(mutex_);
  version_ = connection->Version();
  return connection;
}

std::unique_ptr<KmipConnection> KmipServer::TakeIdle() {
  // Outside of the lock, what is dropped says good-bye to the server.
  std::vector<std::unique_ptr<KmipConnection>> dropped;
  const std::lock_guard lock(mutex_);
  // The oldest are in front: what was kept for a burst of calls goes when it is over.
  const auto young = std::ranges::find_if(
      idle_, [](const auto& connection) { return absl::Now() - connection->LastUsed() < kMaxIdleTime; });
  std::move(idle_.begin(), young, std::back_inserter(dropped));
  idle_.erase(idle_.begin(), young);
  while (!idle_.empty()) {
    std::unique_ptr<KmipConnection> connection = std::move(idle_.back());
    idle_.pop_back();
    if (connection->IsQuiet()) return connection;
    dropped.push_back(std::move(connection));
  }
  return nullptr;
}

void KmipServer::GiveBack(std::unique_ptr<KmipConnection> connection) {
  const std::lock_guard lock(mutex_);
  failed_at_ = absl::InfinitePast();
  if (idle_.size() < kMaxIdle) idle_.push_back(std::move(connection));
}

void KmipServer::NoteFailure() {
  std::vector<std::unique_ptr<KmipConnection>> dropped;
  const std::lock_guard lock(mutex_);
  failed_at_ = absl::Now();
  version_.reset();
  dropped.swap(idle_);
}

bool KmipServer::FailedLately() const {
  const std::lock_guard lock(mutex_);
  return absl::Now() - failed_at_ < kFailureRemembered;
}

}  // namespace volcrypt
