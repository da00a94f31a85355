#include "agent/audit_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "encryptors/reason.h"

namespace volcrypt {
namespace {

absl::Status WrongFile(const std::string& path, const std::string& what) {
  return MakeError(Reason::kInvalidField,
                   absl::StrCat("audit.file: ", path, ": ", what, "; name a regular file that volcryptd may write"),
                   {{"field", "audit.file"}});
}

absl::Status NotWritable(const std::string& path, const std::string& what) {
  return MakeError(Reason::kStateNotWritable,
                   absl::StrCat("the audit file ", path, " cannot be written: ", what,
                                "; make room there, or correct [audit] file and reload volcryptd"),
                   {{"path", path}});
}

// Waits for nobody, as a FIFO would.
absl::StatusOr<UniqueFd> OpenToAdd(const std::string& path) {
  UniqueFd file(
      open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, S_IRUSR | S_IWUSR));
  struct stat status {};
  if (!file.IsValid() || fstat(file.Get(), &status) != 0) return WrongFile(path, strerror(errno));
  if (!S_ISREG(status.st_mode)) return WrongFile(path, "is not a regular file");
  return file;
}

bool IsDeleted(const UniqueFd& file) {
  struct stat status {};
  return fstat(file.Get(), &status) == 0 && status.st_nlink == 0;
}

}  // namespace

absl::Status AuditFile::Open(const std::string& path) {
  absl::StatusOr<UniqueFd> file = path.empty() ? UniqueFd() : OpenToAdd(path);
  if (!file.ok()) return file.status();
  const std::lock_guard lock(mutex_);
  path_ = path;
  file_ = *std::move(file);
  is_torn_ = false;
  return absl::OkStatus();
}

absl::Status AuditFile::Reopen() {
  std::string path;
  {
    const std::lock_guard lock(mutex_);
    path = path_;
  }
  return Open(path);
}

absl::Status AuditFile::Add(const std::string& line, bool durable) {
  const std::lock_guard lock(mutex_);
  if (!file_.IsValid()) return absl::OkStatus();
  if (IsDeleted(file_)) {
    absl::StatusOr<UniqueFd> anew = OpenToAdd(path_);
    if (!anew.ok()) return NotWritable(path_, "it was deleted and cannot be made anew");
    file_ = *std::move(anew);
    is_torn_ = false;
  }
  // One write a line keeps those of a second agent apart.
  const std::string text = absl::StrCat(is_torn_ ? "\n" : "", line, "\n");
  const ssize_t written = write(file_.Get(), text.data(), text.size());
  if (written < 0) return NotWritable(path_, strerror(errno));
  is_torn_ = written < static_cast<ssize_t>(text.size());
  if (is_torn_) return NotWritable(path_, "no room for the whole line");
  if (durable && fdatasync(file_.Get()) != 0) return NotWritable(path_, strerror(errno));
  return absl::OkStatus();
}

}  // namespace volcrypt
