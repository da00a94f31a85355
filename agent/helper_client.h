#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/left_workers.h"
#include "encryptors/encryptor.h"
#include "helper.pb.h"

namespace volcrypt {

// The agent's side of volcrypt-helper: each operation is one connection, served by one worker. Keeps nothing between
// operations, so it is thread-safe and needs no recovery when the helper restarts.
//
// Errors of its own: HELPER_UNAVAILABLE (nothing was started), DEVICE_TIMED_OUT (the worker goes on without us, unless
// it has yet to begin something irreversible), WORKER_FAILED (it ended without an answer, or with one that makes no
// sense). All others are the worker's.
class HelperClient : public Encryptor {
 public:
  // `left`, which may be null and outlives the client, gets the workers that are not waited for any longer.
  explicit HelperClient(std::string socket_path, LeftWorkers* left = nullptr);

  absl::StatusOr<AttachResult> Attach(const AttachRequest& request, const Key* key, absl::Time deadline) override;
  absl::StatusOr<DetachResult> Detach(const DetachRequest& request, absl::Time deadline) override;
  absl::StatusOr<ExtendResult> Extend(const ExtendRequest& request, const Key* key, absl::Time deadline) override;
  absl::StatusOr<Inspection> Inspect(const std::string& device, absl::Time deadline) override;
  absl::StatusOr<Mapping> Query(const std::string& volume_id, absl::Time deadline) override;
  absl::Status Forget(const std::string& volume_id, absl::Time deadline) override;

 private:
  // Fills in what is common to all verbs. The reply is the one that belongs to the request's verb, or an error.
  absl::StatusOr<helper::Reply> Call(helper::Request request, const Key* key, absl::Time deadline) const;

  const std::string socket_path_;
  LeftWorkers* const left_;
};

}  // namespace volcrypt
