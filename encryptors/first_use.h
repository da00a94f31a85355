#pragma once

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "encryptors/backing_device.h"
#include "encryptors/encryptor.h"
#include "encryptors/luks.h"
#include "encryptors/volume_content.h"
#include "encryptors/volume_record.h"

namespace volcrypt {

// The error, marked as coming after the first byte may have been written, so that the agent keeps its claim.
absl::Status FormatBegun(const absl::Status& error);

// Formats a device that ExamineContent found blank or that an interrupted format left behind: the only code that
// writes to a volume's device. Every condition of the rule is checked again here, right before the first byte.
class FirstUse {
 public:
  // All references outlive it. `identity` is BackingDevice::ReadIdentity from before the device was first looked at.
  FirstUse(const BackingDevice& device, std::string identity, const VolumeRecords& records,
           const AttachRequest& request, const Key& key, const std::string& state_dir,
           const std::function<bool()>& caller_has_gone);

  // Holds `exclusive` but for crypt_format alone, which claims the device itself, and gives it up at the end. The
  // answer is the context with the finished header, opened and verified, not activated. `intent` is that of an
  // interrupted first use, if there was one.
  absl::StatusOr<CryptDevice> Run(UniqueFd exclusive, const VolumeContent& content,
                                  const std::optional<VolumeRecord>& intent);

 private:
  absl::Status ProveBlank(int direct, const VolumeContent& content, const std::optional<VolumeRecord>& intent);
  absl::Status LookAgainForData(int direct);
  absl::Status LookAgainForInterruptedFormat(int direct, const VolumeContent& content, const VolumeRecord& intent);
  absl::StatusOr<CryptDevice> WriteAndRecord(UniqueFd exclusive, const SecretBytes& passphrase);
  absl::StatusOr<CryptDevice> WriteHeader(UniqueFd exclusive, const SecretBytes& passphrase);
  absl::Status StopIfCallerHasGone() const;
  VolumeRecord NewRecord() const;

  const BackingDevice& device_;
  const std::string identity_;
  const VolumeRecords& records_;
  const AttachRequest& request_;
  const Key& key_;
  const std::string& state_dir_;
  const std::function<bool()>& caller_has_gone_;
};

}  // namespace volcrypt
