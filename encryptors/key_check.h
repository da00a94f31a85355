#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "encryptors/key.h"
#include "encryptors/unique_fd.h"

namespace volcrypt {

// Whether the key opens the LUKS header on the device below a mapping, which keeps the device's number from being
// reused. Reads only. The header is trusted no more than at an attach: it may have been changed since.
// KEY_REJECTED, HEADER_REFUSED, HEADER_DAMAGED, ATTACHED_DIFFERENTLY (another LUKS UUID), DEVICE_IO_ERROR.
absl::Status CheckKeyOpens(dev_t backing, const std::string& luks_uuid, const std::vector<std::string>& allowed_ciphers,
                           const Key& key);

// The same of what the descriptor holds open; `path` is for messages.
absl::Status CheckKeyOpens(const UniqueFd& fd, const std::string& path, const std::string& luks_uuid,
                           const std::vector<std::string>& allowed_ciphers, const Key& key);

}  // namespace volcrypt
