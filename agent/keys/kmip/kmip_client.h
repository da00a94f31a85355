#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/keys/key_manager.h"
#include "agent/keys/kmip/kmip_connection.h"
#include "agent/keys/kmip/kmip_server.h"
#include "agent/keys/kmip/tls_context.h"

namespace volcrypt {

// A group of KMIP servers that hold the same keys. They are tried in their order, those that failed lately last.
// Thread-safe; calls run side by side, each on a connection of its own.
//
// Errors are KEY_MANAGER_TIMED_OUT when a server did not answer in time, else KEY_MANAGER_UNAVAILABLE, and name every
// server that was tried; OUT_OF_MEMORY. What a server refuses is no error here but its answer.
class KmipClient {
 public:
  struct Options {
    std::vector<KmipEndpoint> servers;         // at least one
    std::optional<KmipCredential> credential;  // besides the certificate
  };

  enum class Repeat : uint8_t {
    kAllowed,  // the request changes nothing, or no more the second time
    kNever,    // once it was sent, only its answer can tell whether it was done
  };

  KmipClient(TlsContext tls, Options options);

  // In the metadata of an error: the request was sent, and may have been carried out.
  static constexpr char kMayBeDone[] = "may_be_done";

  // A request that may be repeated goes over a kept connection where there is one, and to the next server when one
  // fails. Any other goes over a new connection, since a kept one may turn out to be dead only when it was sent.
  absl::StatusOr<KmipReply> Call(const KmipRequest& request, Repeat repeat, absl::Time deadline);

  // Goes through the servers one by one, also beyond one that fails. Of one that calls would go past, because it is
  // away and another works, there is a single step, passed, with what is wrong and what to do.
  std::vector<CheckStep> Check(absl::Time deadline) const;

 private:
  class Slot;
  struct Attempt {
    absl::StatusOr<KmipReply> reply;
    bool was_sent = false;
  };

  std::vector<KmipServer*> InOrder();
  Attempt Try(KmipServer& server, const KmipRequest& request, Repeat repeat, absl::Time deadline);
  Attempt TryNew(KmipServer& server, const KmipRequest& request, absl::Time deadline);

  const TlsContext tls_;
  const std::optional<KmipCredential> credential_;
  std::vector<std::unique_ptr<KmipServer>> servers_;  // not changed after construction

  std::mutex mutex_;
  std::condition_variable slot_freed_;
  int slots_taken_ = 0;  // under mutex_
};

}  // namespace volcrypt
