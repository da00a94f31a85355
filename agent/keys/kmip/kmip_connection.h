#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/keys/kmip/kmip_request.h"
#include "agent/keys/kmip/kmip_response.h"
#include "agent/keys/kmip/tls_connection.h"

namespace volcrypt {

// A server's answer with the memory that it lies in: locked, because it may hold a key, and wiped with it.
struct KmipReply {
  SecretBytes message;
  KmipResponse response;
};

// A connection on which one request after the other is asked and answered. Errors are KEY_MANAGER_UNAVAILABLE and
// KEY_MANAGER_TIMED_OUT, after which it is of no more use, and OUT_OF_MEMORY. Not thread-safe.
class KmipConnection {
 public:
  // `credential` outlives the connection; null: none.
  KmipConnection(std::unique_ptr<TlsConnection> tls, const KmipCredential* credential)
      : tls_(std::move(tls)), credential_(credential) {}

  // Finds the best version that both sides speak.
  absl::Status NegotiateVersion(absl::Time deadline);
  // One that was found before.
  void UseVersion(KmipVersion version) { version_ = version; }
  KmipVersion Version() const { return version_; }

  // A refusal by the server is an answer too.
  absl::StatusOr<KmipReply> Exchange(const KmipRequest& request, absl::Time deadline);

  absl::Time LastUsed() const { return last_used_; }
  bool IsQuiet() { return tls_->IsQuiet(); }
  TlsFacts Tls() const { return tls_->Facts(); }

 private:
  absl::StatusOr<SecretBytes> ReadMessage(absl::Time deadline);

  const std::unique_ptr<TlsConnection> tls_;
  const KmipCredential* const credential_;
  KmipVersion version_ = kKmipVersions.front();
  uint64_t requests_ = 0;
  absl::Time last_used_ = absl::InfinitePast();
};

}  // namespace volcrypt
