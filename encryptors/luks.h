#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "encryptors/backing_device.h"
#include "encryptors/crypt_device.h"
#include "encryptors/encryption.h"
#include "encryptors/key.h"
#include "encryptors/luks_header.h"
#include "encryptors/passphrase.h"

namespace volcrypt {

// Loads the LUKS1 or LUKS2 header; null when none could be loaded, which may mean that there is none or that it is
// damaged. Reads only. DEVICE_IO_ERROR.
absl::StatusOr<CryptDevice> LoadLuks(const BackingDevice& device);

// Writes a header without a keyslot (libcryptsetup zeroes everything before the data offset first) and returns the
// context that knows the new volume key. The caller has proven the device blank and holds no exclusive claim.
absl::StatusOr<CryptDevice> FormatLuks(const BackingDevice& device, const Encryption& encryption,
                                       const std::string& luks_uuid, const std::string& volume_id);

// Adds the key's keyslot to a freshly formatted header. A key of high entropy gets PBKDF2 with the fewest iterations
// that libcryptsetup and NIST SP 800-132 allow; others get a slow derivation.
absl::Status AddKeyslot(crypt_device* device, const SecretBytes& passphrase, bool high_entropy);

// LUKS2 only.
absl::Status SetToken(crypt_device* device, const VolcryptToken& token);

// Unlocks without activating; the volume key goes into this thread's keyring (LUKS2). KEY_REJECTED.
absl::Status VerifyPassphrase(crypt_device* device, const SecretBytes& passphrase);

struct Activation {
  std::string mapping_name;
  bool read_only = false;
  bool allow_discards = false;
};
// Unlocks and creates the mapping. Flags stored in the header are ignored. KEY_REJECTED, DEVICE_IN_USE.
absl::Status Activate(crypt_device* device, const SecretBytes& passphrase, const Activation& activation);

}  // namespace volcrypt
