#include "encryptors/volume_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

#include "absl/strings/str_cat.h"
#include "encryptors/reason.h"

namespace volcrypt {

absl::StatusOr<VolumeLock> VolumeLock::Take(const std::string& lock_dir, const std::string& volume_id) {
  const std::string path = absl::StrCat(lock_dir, "/", volume_id);
  // Never unlinked: a lock on a file that is no longer there would exclude nobody.
  UniqueFd file(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file.IsValid()) {
    return MakeError(Reason::kStateNotWritable, absl::StrCat("lock file ", path, ": ", strerror(errno)),
                     {{"path", path}});
  }
  if (flock(file.Get(), LOCK_EX | LOCK_NB) != 0) {
    return MakeError(Reason::kOperationInProgress,
                     absl::StrCat("another operation on volume ", volume_id, " is still running; retry later"),
                     {{"volume_id", volume_id}});
  }
  return VolumeLock(std::move(file));
}

}  // namespace volcrypt
