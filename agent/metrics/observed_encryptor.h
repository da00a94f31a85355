#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/metrics/observer.h"
#include "encryptors/encryptor.h"

namespace volcrypt {

// Passes everything on to another encryptor and tells an observer how each call ended. Both outlive this.
class ObservedEncryptor : public Encryptor {
 public:
  ObservedEncryptor(Encryptor& encryptor, Observer& observer) : encryptor_(encryptor), observer_(observer) {}

  absl::StatusOr<AttachResult> Attach(const AttachRequest& request, const Key* key, absl::Time deadline) override;
  absl::StatusOr<DetachResult> Detach(const DetachRequest& request, absl::Time deadline) override;
  absl::StatusOr<ExtendResult> Extend(const ExtendRequest& request, const Key* key, absl::Time deadline) override;
  absl::StatusOr<Inspection> Inspect(const std::string& device, absl::Time deadline) override;
  absl::StatusOr<Mapping> Query(const std::string& volume_id, absl::Time deadline) override;
  absl::Status Forget(const std::string& volume_id, absl::Time deadline) override;

 private:
  Encryptor& encryptor_;
  Observer& observer_;
};

}  // namespace volcrypt
