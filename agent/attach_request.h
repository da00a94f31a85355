// What a caller asks for, and what of it reaches the encryptor.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "agent/config.h"
#include "encryptors/encryptor.h"

namespace volcrypt {

enum class AttachMode : uint8_t { kUnspecified, kHostMapping, kLibvirtSecret };
enum class FirstUsePolicy : uint8_t { kUnspecified, kFormatIfBlank, kRefuse };

// AttachVolumeRequest as it came, in words of our own (proto/volcrypt/v1/volume_encryptor.proto says what each means).
struct AttachCall {
  std::string volume_id;
  std::string device;
  std::optional<KeyReference> key;
  Encryption encryption;
  bool encryption_none = false;  // FORMAT_NONE was asked for
  AttachMode mode = AttachMode::kUnspecified;
  FirstUsePolicy first_use = FirstUsePolicy::kUnspecified;
  bool read_only = false;
  bool allow_discards = false;
  bool register_libvirt_secret = false;
  std::string provider;
  std::string control_location;
  bool caller_is_admin = false;

  bool operator==(const AttachCall&) const = default;
};

// Checks every field and fills what is absent from the configuration. The encryption is what a first use would make; of
// a volume that exists the header counts, be it LUKS1 or LUKS2. Without a key (an admin's call) key_id is empty and
// nothing may be formatted. The error names the first field that is wrong: INVALID_VOLUME_ID, INVALID_FIELD,
// INVALID_KEY_ID, KEY_REQUIRED, UNSUPPORTED_ENCRYPTION.
// Without `has_libvirt` nothing may be asked of libvirt. Where QEMU decrypts, the format is LUKS1, and the device may
// be empty, which takes a key and formats nothing.
absl::StatusOr<AttachRequest> MakeAttachRequest(const AttachCall& call, const VolumesConfig& config,
                                                bool has_libvirt = false);

// Whether the volume's libvirt secret is part of what is asked for.
bool WantsSecret(const AttachCall& call);

}  // namespace volcrypt
