#include "tools/volcryptctl/doctor/host_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"

namespace volcrypt::ctl {
namespace {

constexpr size_t kMaxNames = 8192;

absl::Status ErrnoError(const std::string& path) { return absl::ErrnoToStatus(errno, path); }

}  // namespace

absl::StatusOr<std::string> ReadText(const std::string& path, size_t most) {
  // Not to wait for whoever writes into a pipe.
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) return ErrnoError(path);
  const absl::Cleanup close = [fd] { ::close(fd); };
  struct stat status {};
  if (::fstat(fd, &status) != 0) return ErrnoError(path);
  if (!S_ISREG(status.st_mode)) return absl::FailedPreconditionError(absl::StrCat(path, " is not a regular file"));
  std::string text(most, '\0');
  size_t size = 0;
  while (size < most) {
    const ssize_t count = ::read(fd, text.data() + size, most - size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return ErrnoError(path);
    if (count == 0) break;
    size += static_cast<size_t>(count);
  }
  text.resize(size);
  if (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

absl::StatusOr<std::vector<std::string>> NamesIn(const std::string& directory) {
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(::opendir(directory.c_str()), ::closedir);
  if (entries == nullptr) return ErrnoError(directory);
  std::vector<std::string> names;
  while (const dirent* entry = names.size() < kMaxNames ? ::readdir(entries.get()) : nullptr) {
    const std::string name(static_cast<const char*>(entry->d_name));
    if (name != "." && name != "..") names.push_back(name);
  }
  std::ranges::sort(names);
  return names;
}

absl::StatusOr<struct stat> StatusOf(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return ErrnoError(path);
  return status;
}

bool Exists(const std::string& path) { return StatusOf(path).ok(); }

}  // namespace volcrypt::ctl
