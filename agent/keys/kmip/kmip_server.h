#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/keys/kmip/kmip_connection.h"
#include "agent/keys/kmip/kmip_endpoint.h"
#include "agent/keys/kmip/tls_context.h"

namespace volcrypt {

// One server of a KMIP key manager: its idle connections, the version that it speaks, and whether it was well when it
// was last used. Thread-safe.
class KmipServer {
 public:
  // Both outlive the server; `credential` may be null.
  KmipServer(KmipEndpoint endpoint, const TlsContext& tls, const KmipCredential* credential);

  const KmipEndpoint& Endpoint() const { return endpoint_; }

  // A new connection that knows its version.
  absl::StatusOr<std::unique_ptr<KmipConnection>> Connect(absl::Time deadline);
  // A kept connection, as far as is known open; null when there is none.
  std::unique_ptr<KmipConnection> TakeIdle();
  // After an answer: keeps the connection for the next request.
  void GiveBack(std::unique_ptr<KmipConnection> connection);

  // Another server is better asked first for a while. Forgets connections and version: it may come back as another.
  void NoteFailure();
  bool FailedLately() const;

 private:
  const KmipEndpoint endpoint_;
  const TlsContext& tls_;
  const KmipCredential* const credential_;

  mutable std::mutex mutex_;
  std::vector<std::unique_ptr<KmipConnection>> idle_;  // under mutex_, like the rest
  std::optional<KmipVersion> version_;
  absl::Time failed_at_ = absl::InfinitePast();
};

}  // namespace volcrypt
