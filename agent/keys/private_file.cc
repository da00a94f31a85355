#include "agent/keys/private_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "encryptors/reason.h"
#include "encryptors/unique_fd.h"

namespace volcrypt {
namespace {

bool IsOurs(const struct stat& status) { return status.st_uid == 0 || status.st_uid == geteuid(); }

std::string ModeText(const struct stat& status) { return absl::StrFormat("%04o", status.st_mode & 07777U); }

absl::Status Refusal(const std::string& path, const std::string& message) {
  return MakeError(Reason::kKeyManagerUnavailable, message, {{"path", path}});
}

absl::Status WrongOwner(absl::string_view what, const std::string& path, const struct stat& status) {
  return Refusal(path, absl::StrCat(what, " ", path, " belongs to uid ", status.st_uid, "; it must belong to uid ",
                                    geteuid(), " or to root, run: chown ", geteuid(), " ", path));
}

}  // namespace

std::string DirectoryOf(const std::string& path) {
  const std::filesystem::path directory = std::filesystem::path(path).parent_path();
  return directory.empty() ? "." : directory.string();
}

absl::Status CheckDirectoryIsOurs(const std::string& directory) {
  constexpr absl::string_view kWhat = "the key store's directory";
  struct stat status = {};
  if (stat(directory.c_str(), &status) != 0) {
    if (errno != ENOENT) return FileError(kWhat, directory, "cannot be examined", errno);
    return Refusal(directory, absl::StrCat(kWhat, " ", directory, " does not exist, run: install -d -m 0700 -o ",
                                           geteuid(), " ", directory));
  }
  if (!S_ISDIR(status.st_mode)) return Refusal(directory, absl::StrCat(kWhat, " ", directory, " is not a directory"));
  if (!IsOurs(status)) return WrongOwner(kWhat, directory, status);
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return Refusal(directory, absl::StrCat(kWhat, " ", directory, " has mode ", ModeText(status),
                                           ": others may replace files in it, run: chmod go-w ", directory));
  }
  return absl::OkStatus();
}

absl::Status CheckFileIsPrivate(const struct stat& status, absl::string_view what, const std::string& path,
                                bool group_may_read) {
  if (!S_ISREG(status.st_mode)) return Refusal(path, absl::StrCat(what, " ", path, " is not a regular file"));
  if (!IsOurs(status)) return WrongOwner(what, path, status);
  const mode_t forbidden = group_may_read ? (S_IRWXG | S_IRWXO) & ~mode_t{S_IRGRP} : (S_IRWXG | S_IRWXO);
  if ((status.st_mode & forbidden) != 0) {
    return Refusal(path, absl::StrCat(what, " ", path, " has mode ", ModeText(status),
                                      ": it must be closed to group and others, run: chmod 600 ", path));
  }
  return absl::OkStatus();
}

absl::Status SyncDirectory(const std::string& directory) {
  const UniqueFd fd(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.IsValid() && fsync(fd.Get()) == 0) return absl::OkStatus();
  return FileError("the key store's directory", directory, "cannot be written to the disk", errno);
}

absl::Status FileError(absl::string_view what, const std::string& path, absl::string_view problem, int error_number) {
  return Refusal(path,
                 absl::StrCat(what, " ", path, " ", problem, ": ", std::generic_category().message(error_number)));
}

}  // namespace volcrypt
