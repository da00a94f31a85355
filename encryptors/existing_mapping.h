#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "encryptors/backing_device.h"
#include "encryptors/device_mapper.h"
#include "encryptors/encryptor.h"

namespace volcrypt {

// Whether what is mapped under the volume's name is what the request asks for: our mapping, over the same device with
// the LUKS UUID that is read from it again, with the same read-only flag. `resolved` is the request's device, or why
// there is none. A request for no mapping at all is for something else. MAPPING_IN_USE, ATTACHED_DIFFERENTLY,
// HEADER_DAMAGED, DEVICE_IO_ERROR, OUT_OF_MEMORY.
absl::Status CheckSameAttachment(const DmDevice& existing, const AttachRequest& request,
                                 const absl::StatusOr<ResolvedDevice>& resolved);

}  // namespace volcrypt
