#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "encryptors/crypt_device.h"
#include "encryptors/encryption.h"

namespace volcrypt {

// What a header may ask for; it is written by whoever controls the storage. Each check stands against a header that
// libcryptsetup 2.6.1 loads and would activate.
struct HeaderPolicy {
  std::vector<std::string> allowed_ciphers;
  std::optional<uint64_t> data_offset_bytes;  // when this host formatted the volume
  // What this host knows the volume to be encrypted with; an empty cipher: nothing.
  Encryption known_encryption;
};

// HEADER_REFUSED says which demand failed. Called on the handle that is activated afterwards, so that what was checked
// is what is used.
absl::Status CheckHeader(crypt_device* device, const HeaderPolicy& policy);

// True when the cipher is one that a helper may ever use, is allowed by the request too, and takes keys of this size.
bool IsAllowedEncryption(const Encryption& encryption, const std::vector<std::string>& allowed_ciphers);

// LUKS1 keeps the cost of its digest where libcryptsetup has no accessor: bytes 164-167 of the first sector
// (LUKS1 On-Disk Format Specification, mk-digest-iter).
absl::Status CheckLuks1Sector(std::span<const uint8_t> sector);

}  // namespace volcrypt
