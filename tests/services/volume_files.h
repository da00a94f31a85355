#pragma once

#include <optional>
#include <string>

#include "encryptors/encryptor.h"

namespace volcrypt {

// An encryptor over small files in place of devices, for agents that run where there is no device-mapper. A volume is
// a file of lines, each written by one format: LUKS UUID, SHA-256 of the passphrase, type of the key, whether its
// keyslot would do without slow derivation, size of the key in bytes. An empty file is a blank device; the first line
// says which key opens it. Nothing but the first-use record keeps a volume from being formatted twice: a format does
// not look again at what is there, so two lines are the proof that two hosts formatted.
//
// While a file DEVICE.hold exists, a format of DEVICE waits before it writes, and makes a file DEVICE.waiting to say
// so. A volume that is left to QEMU is opened and not attached. Stateless between calls.
class VolumeFiles : public Encryptor {
 public:
  // `attached`: a directory with a file for each attached volume, which holds the path of its device.
  explicit VolumeFiles(std::string attached) : attached_(std::move(attached)) {}

  absl::StatusOr<AttachResult> Attach(const AttachRequest& request, const Key* key, absl::Time deadline) override;
  absl::StatusOr<DetachResult> Detach(const DetachRequest& request, absl::Time deadline) override;
  absl::StatusOr<ExtendResult> Extend(const ExtendRequest& request, const Key* key, absl::Time deadline) override;
  absl::StatusOr<Inspection> Inspect(const std::string& device, absl::Time deadline) override;
  absl::StatusOr<Mapping> Query(const std::string& volume_id, absl::Time deadline) override;
  absl::Status Forget(const std::string& volume_id, absl::Time deadline) override;

 private:
  std::string RecordOf(const std::string& volume_id) const { return attached_ + "/" + volume_id; }
  std::optional<std::string> DeviceOf(const std::string& volume_id) const;
  absl::StatusOr<AttachResult> Format(const AttachRequest& request, const Key& key, absl::Time deadline) const;
  absl::StatusOr<AttachResult> Map(AttachOutcome outcome, const AttachRequest& request,
                                   const std::string& luks_uuid) const;

  const std::string attached_;
};

}  // namespace volcrypt
