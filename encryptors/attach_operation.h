#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "encryptors/backing_device.h"
#include "encryptors/device_mapper.h"
#include "encryptors/encryptor.h"
#include "encryptors/luks.h"
#include "encryptors/volume_content.h"
#include "encryptors/volume_encryptor.h"
#include "encryptors/volume_record.h"

namespace volcrypt {

// One attach, from locks to mapping: finds out what is on the device and opens it, formats it (FirstUse) or refuses.
class AttachOperation {
 public:
  // All references outlive the operation; `key` may be null.
  AttachOperation(const VolumeEncryptorOptions& options, const std::function<bool()>& caller_has_gone,
                  AttachRequest request, const Key* key, absl::Time deadline);

  absl::StatusOr<AttachResult> Run();

 private:
  // Something is mapped under the volume's name: the same thing that is asked for, or ATTACHED_DIFFERENTLY.
  absl::StatusOr<AttachResult> AnswerFromMapping(const DmDevice& existing,
                                                 const absl::StatusOr<ResolvedDevice>& resolved);
  absl::StatusOr<AttachResult> Decide(const BackingDevice& device, UniqueFd exclusive);
  absl::StatusOr<AttachResult> OpenFormatted(const BackingDevice& device, UniqueFd exclusive, VolumeContent content);
  absl::Status CompleteInterruptedFormat(const VolumeContent& content);
  absl::StatusOr<AttachResult> BeginFirstUse(const BackingDevice& device, UniqueFd exclusive, VolumeContent content);
  absl::Status CheckFirstUseAllowed(const BackingDevice& device, const VolumeContent& content);
  absl::Status RefuseContent(const BackingDevice& device, const VolumeContent& content) const;
  // Makes the mapping and reads it back from the kernel; on a difference it is removed again.
  absl::StatusOr<Mapping> ActivateAndVerify(const BackingDevice& device, crypt_device* crypt, const LuksHeader& header);
  absl::Status CheckActivated(const BackingDevice& device, const LuksHeader& header, const DmDevice& made) const;
  void RecordOpened(const LuksHeader& header);

  const VolumeEncryptorOptions& options_;
  const std::function<bool()>& caller_has_gone_;
  AttachRequest request_;
  const Key* key_;
  const absl::Time deadline_;
  const std::string mapping_name_;
  const VolumeRecords records_;
  DeviceMapper mapper_;
  std::string identity_;  // of the device, from before it was looked at
  std::optional<VolumeRecord> intent_;
  std::optional<VolumeRecord> known_;
  // A record that cannot be read is no hindrance to opening, and doubt enough to refuse formatting.
  absl::Status records_status_;
  std::vector<std::string> warnings_;
};

}  // namespace volcrypt
