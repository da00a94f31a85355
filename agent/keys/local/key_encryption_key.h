#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "encryptors/secret_bytes.h"

namespace volcrypt {

// Reads a key-encryption key: a regular file of exactly 32 raw bytes, root's or ours, closed to group and others (a
// systemd credential may be open to the group, see private_file.h). Nothing when there is no such file. Errors say
// what is wrong with the file and what to do: KEY_UNFIT for its content, KEY_MANAGER_UNAVAILABLE for the rest.
absl::StatusOr<std::optional<SecretBytes>> LoadKeyEncryptionKey(const std::string& path, bool is_credential);

// Makes a new one in `path`, mode 0600, whole and on the disk when this returns OK. Never replaces a file. The caller
// sees to it that no other process makes the same one at the same time.
absl::StatusOr<SecretBytes> CreateKeyEncryptionKey(const std::string& path);

}  // namespace volcrypt
