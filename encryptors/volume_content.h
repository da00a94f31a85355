#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "encryptors/backing_device.h"
#include "encryptors/crypt_device.h"
#include "encryptors/inspection.h"
#include "encryptors/volume_record.h"

namespace volcrypt {

// What is on a device, as far as the decision to open, to format or to refuse goes.
struct VolumeContent {
  Content content = Content::kUnspecified;
  CryptDevice crypt;                 // with the header loaded, when there is one
  std::optional<LuksHeader> header;  // likewise
  std::vector<Signature> signatures;
  std::string detail;  // what was found where, for people
};

enum class Look : uint8_t {
  kProof,   // kBlank has passed one full blank proof
  kGlance,  // kBlank is only likely: signatures and headers were looked for, data in the first and last MiB alone
};

// Reads only. `direct` is an O_DIRECT descriptor of the device. A loadable
// header without keyslots is kErased when our token shows that it had one, else kIncompleteFormat.
// DEVICE_IO_ERROR: whatever could not be read is never taken for blank.
absl::StatusOr<VolumeContent> ExamineContent(const BackingDevice& device, int direct, Look look = Look::kProof);

// True when this is the intent's device in a state that an interrupted format leaves, so that formatting it again
// with the same LUKS UUID destroys nothing: no keyslot, nothing foreign, the intent's own UUID or no magic at all below
// the data offset, and a blank proof from there on.
absl::StatusOr<bool> IsInterruptedFormat(const BackingDevice& device, int direct, const VolumeContent& content,
                                         const VolumeRecord& intent);

}  // namespace volcrypt
