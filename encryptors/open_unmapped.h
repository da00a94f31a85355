// What an attach comes to where QEMU decrypts: the volume opened with its key, and no mapping left.
#pragma once

#include <libcryptsetup.h>

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "encryptors/backing_device.h"
#include "encryptors/encryptor.h"
#include "encryptors/luks_header.h"

namespace volcrypt {

// HEADER_MISMATCH: the header is LUKS2, which QEMU does not open.
absl::Status UnfitForQemu(const std::string& device, const std::string& luks_uuid);

// Opens the checked header with the key. KEY_REJECTED, DEVICE_TOO_SMALL, and what VerifyPassphrase answers.
absl::StatusOr<Mapping> OpenUnmapped(const BackingDevice& device, crypt_device* crypt, const LuksHeader& header,
                                     const AttachRequest& request, const Key& key);

// The same of a header that has just been opened. Its size is what the guest will see. DEVICE_TOO_SMALL.
absl::StatusOr<Mapping> DescribeUnmapped(const BackingDevice& device, const LuksHeader& header,
                                         const AttachRequest& request);

// The same of a volume that is known to be attached as request.attached_as_uuid. ATTACHED_DIFFERENTLY: the header is
// another one now.
absl::StatusOr<Mapping> DescribeAttached(const BackingDevice& device, const LuksHeader& header,
                                         const AttachRequest& request);

}  // namespace volcrypt
