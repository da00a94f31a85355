#include "tools/volcryptctl/doctor/bundle.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "tools/volcryptctl/call_error.h"
#include "tools/volcryptctl/doctor/program.h"

namespace volcrypt::ctl {
namespace {

constexpr const char* kFolder = "volcrypt-report";

absl::Status CannotWrite(const std::string& path) {
  return absl::ErrnoToStatus(errno, absl::StrCat("cannot write ", path));
}

absl::Status WriteFiles(const std::string& directory, const BundleContent& content) {
  for (const auto& [name, text] : content) {
    const std::string path = absl::StrCat(directory, "/", name);
    std::ofstream file(path, std::ios::binary);
    file << text;
    if (!text.empty() && text.back() != '\n') file << '\n';
    if (!file.flush()) return CannotWrite(path);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Bundle> Bundle::Create(const std::string& path) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (fd < 0 && errno == EEXIST) return UsageError(absl::StrCat(path, " exists already; name a new file"));
  if (fd < 0) return UsageError(CannotWrite(path).message());
  return Bundle(path, fd);
}

Bundle::Bundle(Bundle&& other) noexcept : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)) {}

Bundle::~Bundle() {
  if (fd_ < 0) return;
  ::close(fd_);
  if (!is_complete_) ::unlink(path_.c_str());
}

absl::Status Bundle::Write(const BundleContent& content) {
  std::error_code error;
  std::string pattern = (std::filesystem::temp_directory_path(error) / "volcryptctl.XXXXXX").string();
  if (error || ::mkdtemp(pattern.data()) == nullptr) return CannotWrite(pattern);
  const absl::Cleanup remove = [&pattern] {
    std::error_code ignored;
    std::filesystem::remove_all(pattern, ignored);
  };
  const std::string folder = absl::StrCat(pattern, "/", kFolder);
  if (::mkdir(folder.c_str(), S_IRWXU) != 0) return CannotWrite(folder);
  if (absl::Status status = WriteFiles(folder, content); !status.ok()) return status;
  const auto done = RunProgram({"tar", "-c", "-z", "-f", "-", "--owner=0", "--group=0", "-C", pattern, kFolder},
                               {.timeout = absl::Minutes(1), .output = fd_});
  if (!done.ok()) return absl::InternalError(absl::StrCat(path_, " was not written: ", done.status().message()));
  is_complete_ = true;
  return absl::OkStatus();
}

}  // namespace volcrypt::ctl
