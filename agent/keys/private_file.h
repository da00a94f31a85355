// What keeps the files of a key store from other users. `what` names the file in errors: "the key store".
#pragma once

#include <sys/stat.h>

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace volcrypt {

// "." for a name without a directory.
std::string DirectoryOf(const std::string& path);

// Refuses a directory that is missing, is not root's or ours, or in which others may replace files.
absl::Status CheckDirectoryIsOurs(const std::string& directory);

// Refuses what is not a regular file of root's or ours, and what others may read or write. Reading by the group may be
// allowed: a credential that systemd grants to a user by an access control list shows that as the group's mode.
absl::Status CheckFileIsPrivate(const struct stat& status, absl::string_view what, const std::string& path,
                                bool group_may_read = false);

// The directory's entries are on the disk afterwards.
absl::Status SyncDirectory(const std::string& directory);

// KEY_MANAGER_UNAVAILABLE: "the key store /x: cannot be created: " and what errno says.
absl::Status FileError(absl::string_view what, const std::string& path, absl::string_view problem, int error_number);

}  // namespace volcrypt
