// Secrets that the configuration names by their files: passwords, the fixed key, private keys.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "encryptors/secret_bytes.h"

namespace volcrypt {

// Largest file that is read as a secret.
inline constexpr size_t kMaxSecretFileBytes = size_t{16} * 1024;

struct SecretFile {
  std::string path;
  bool is_credential = false;  // lies in systemd's credentials directory
};

// `configured` is the path of a file, or "credential:NAME" for one in `credentials_directory` (empty: there is none).
// INVALID_FIELD, with `key` as its field, when there is no such place. Whether the file exists is not looked at.
absl::StatusOr<SecretFile> LocateSecret(absl::string_view key, const std::string& configured,
                                        const std::string& credentials_directory);

// The file's bytes, unchanged. It is a regular file of root's or ours, closed to group and others (see private_file.h),
// and neither empty nor larger than kMaxSecretFileBytes. `what` names it in errors: "the password". KEY_UNFIT for what
// is in it, KEY_MANAGER_UNAVAILABLE for the rest.
absl::StatusOr<SecretBytes> ReadSecretFile(const SecretFile& file, absl::string_view what);

// The one line of text in the file, without its end. KEY_UNFIT also for further lines and for NUL bytes.
absl::StatusOr<SecretBytes> ReadSecretLine(const SecretFile& file, absl::string_view what);

}  // namespace volcrypt
