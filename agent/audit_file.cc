#include "agent/audit_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "encryptors/reason.h"
#include "encryptors/unique_fd.h"

namespace volcrypt {
namespace {

absl::Status WrongFile(const std::string& path, const std::string& what) {
  return MakeError(Reason::kInvalidField,
                   absl::StrCat(path, ": ", what, "; name a regular file that volcryptd may write"),
                   {{"field", "audit.file"}});
}

absl::Status NotWritable(const std::string& path, const std::string& what) {
  return MakeError(Reason::kStateNotWritable,
                   absl::StrCat("the audit file ", path, " cannot be written: ", what,
                                "; make room there, or correct [audit] file and reload volcryptd"),
                   {{"path", path}});
}

// Waits for nobody, as a FIFO would. `creation`: O_CREAT or nothing.
absl::StatusOr<UniqueFd> OpenToAdd(const std::string& path, int creation = O_CREAT) {
  UniqueFd file(
      open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | creation, S_IRUSR | S_IWUSR));
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

absl::Status AuditFile::Check(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) == 0 || errno != ENOENT) return OpenToAdd(path, /*creation=*/0).status();
  const std::string directory = std::filesystem::path(path).parent_path();
  return eaccess(directory.c_str(), W_OK | X_OK) == 0 ? absl::OkStatus() : WrongFile(path, strerror(errno));
}

// Used by the thread alone.
struct AuditFile::File {
  absl::Status Open(const std::string& its_path);
  absl::Status Add(const std::string& line, bool durable);

  std::string path;
  UniqueFd fd;
  bool is_torn = false;  // ends within a line
};

AuditFile::AuditFile() : file_(std::make_shared<File>()) {}

absl::Status AuditFile::Open(const std::string& path) {
  absl::Status opened = OnThread(path, [path](File& file) { return file.Open(path); });
  if (!opened.ok()) {
    return MakeError(ReasonOf(opened).value_or(Reason::kWorkerFailed), absl::StrCat("audit.file: ", opened.message()),
                     MetadataOf(opened));
  }
  const std::lock_guard lock(mutex_);
  path_ = path;
  return absl::OkStatus();
}

absl::Status AuditFile::Reopen() { return Open(Path()); }

absl::Status AuditFile::Add(const std::string& line, bool durable) {
  return OnThread(Path(), [line, durable](File& file) { return file.Add(line, durable); });
}

std::string AuditFile::Path() {
  const std::lock_guard lock(mutex_);
  return path_;
}

absl::Status AuditFile::OnThread(const std::string& path, std::function<absl::Status(File&)> work) {
  {
    const std::lock_guard lock(mutex_);
    if (!thread_ && path.empty()) return absl::OkStatus();
    if (!thread_) thread_.emplace();
  }
  const auto run = [file = file_, work = std::move(work)](const ExpendableThread::IsAwaited&) { return work(*file); };
  // Whoever comes after one has waited in vain does not wait too.
  const absl::Duration patience = thread_->BusyFor() < kPatience ? kPatience : absl::ZeroDuration();
  const std::optional<absl::Status> outcome = thread_->Run(run, patience);
  return outcome ? *outcome : NotWritable(path, absl::StrCat("no answer within ", absl::FormatDuration(kPatience)));
}

absl::Status AuditFile::File::Open(const std::string& its_path) {
  absl::StatusOr<UniqueFd> opened = its_path.empty() ? UniqueFd() : OpenToAdd(its_path);
  if (!opened.ok()) return opened.status();
  path = its_path;
  fd = *std::move(opened);
  is_torn = false;
  return absl::OkStatus();
}

absl::Status AuditFile::File::Add(const std::string& line, bool durable) {
  if (!fd.IsValid()) return absl::OkStatus();
  if (IsDeleted(fd) && !Open(path).ok()) return NotWritable(path, "it was deleted and cannot be made anew");
  // One write a line keeps those of a second agent apart.
  const std::string text = absl::StrCat(is_torn ? "\n" : "", line, "\n");
  const ssize_t written = write(fd.Get(), text.data(), text.size());
  if (written < 0) return NotWritable(path, strerror(errno));
  is_torn = written < static_cast<ssize_t>(text.size());
  if (is_torn) return NotWritable(path, "no room for the whole line");
  if (durable && fdatasync(fd.Get()) != 0) return NotWritable(path, strerror(errno));
  return absl::OkStatus();
}

}  // namespace volcrypt
