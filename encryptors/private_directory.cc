#include "encryptors/private_directory.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "encryptors/unique_fd.h"

namespace volcrypt {
namespace {

constexpr mode_t kPrivate = 0700;
constexpr mode_t kParent = 0755;
constexpr mode_t kWritableByOthers = 0022;

absl::Status Failed(const std::string& path) {
  return absl::FailedPreconditionError(absl::StrCat("directory ", path, ": ", strerror(errno)));
}

UniqueFd OpenDirectory(const std::string& path) {
  return UniqueFd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

std::string ParentOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
}

absl::Status MakeDirectory(const std::string& path, mode_t mode) {
  const std::string parent = ParentOf(path);
  if (access(parent.c_str(), F_OK) != 0) {
    if (absl::Status status = MakeDirectory(parent, kParent); !status.ok()) return status;
  }
  if (mkdir(path.c_str(), kPrivate) != 0) return errno == EEXIST ? absl::OkStatus() : Failed(path);
  // Not by mkdir(): the umask is the starting process's.
  if (chmod(path.c_str(), mode) != 0) return Failed(path);
  const UniqueFd directory = OpenDirectory(parent);
  // Records in a directory that a power cut removes would be lost with it.
  if (!directory.IsValid() || fsync(directory.Get()) != 0) return Failed(parent);
  return absl::OkStatus();
}

}  // namespace

absl::Status EnsurePrivateDirectory(const std::string& path) {
  if (path.empty() || path[0] != '/') {
    return absl::InvalidArgumentError(absl::StrCat("directory \"", path, "\" must be an absolute path"));
  }
  UniqueFd directory = OpenDirectory(path);
  if (!directory.IsValid() && errno == ENOENT) {
    if (absl::Status status = MakeDirectory(path, kPrivate); !status.ok()) return status;
    directory = OpenDirectory(path);
  }
  if (!directory.IsValid()) return Failed(path);
  struct stat found = {};
  if (fstat(directory.Get(), &found) != 0) return Failed(path);
  if (found.st_uid != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("directory ", path, " belongs to user ", found.st_uid, "; it must belong to root"));
  }
  if ((found.st_mode & kWritableByOthers) != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("directory ", path, " can be written by others than root; chmod 0700 it"));
  }
  return absl::OkStatus();
}

}  // namespace volcrypt
