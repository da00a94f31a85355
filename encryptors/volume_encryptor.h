#pragma once

#include <functional>
#include <string>
#include <vector>

#include "encryptors/encryptor.h"

namespace volcrypt {

struct VolumeEncryptorOptions {
  std::string state_dir;                     // known-volumes records and intents; durable, root only
  std::string lock_dir;                      // one lock file a volume; root only
  std::vector<std::string> device_prefixes;  // where devices and files may lie, each with its trailing slash
};

// The LUKS code itself, for a process that runs one operation and exits: what hangs, leaks or stays in memory is gone
// with it. Not thread-safe, as libdevmapper is not.
class VolumeEncryptor : public Encryptor {
 public:
  // `caller_has_gone` is asked before each irreversible step; true stops the operation there.
  VolumeEncryptor(VolumeEncryptorOptions options, std::function<bool()> caller_has_gone);

  absl::StatusOr<AttachResult> Attach(const AttachRequest& request, const Key* key, absl::Time deadline) override;
  absl::StatusOr<DetachResult> Detach(const DetachRequest& request, absl::Time deadline) override;
  absl::StatusOr<ExtendResult> Extend(const ExtendRequest& request, const Key* key, absl::Time deadline) override;
  absl::StatusOr<Inspection> Inspect(const std::string& device, absl::Time deadline) override;
  absl::StatusOr<Mapping> Query(const std::string& volume_id, absl::Time deadline) override;
  absl::Status Forget(const std::string& volume_id, absl::Time deadline) override;

 private:
  absl::Status StopIfCallerHasGone() const;

  VolumeEncryptorOptions options_;
  std::function<bool()> caller_has_gone_;
};

}  // namespace volcrypt
