#include "agent/config_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "encryptors/unique_fd.h"

namespace volcrypt {
namespace {

std::string CanNotBeRead(int error) {
  return absl::StrCat("can not be read: ", std::generic_category().message(error));
}

// At most one byte more than is taken, so that a file which is too large can be told.
int ReadText(const std::string& path, std::string& text) {
  // O_NONBLOCK: a FIFO in the place of a file must not hold up the start.
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.IsValid()) return errno;
  text.resize(kMaxConfigFileBytes + 1);
  size_t size = 0;
  while (size < text.size()) {
    const ssize_t count = read(fd.Get(), text.data() + size, text.size() - size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno;
    if (count == 0) break;
    size += static_cast<size_t>(count);
  }
  text.resize(size);
  return 0;
}

}  // namespace

std::optional<std::string> ReadConfigText(const std::string& path, ConfigReport& report, bool must_exist) {
  std::string text;
  const int error = ReadText(path, text);
  if (error == ENOENT && !must_exist) return std::nullopt;
  if (error != 0) {
    report.Fail({.file = path}, "", CanNotBeRead(error));
    return std::nullopt;
  }
  if (text.size() > kMaxConfigFileBytes) {
    report.Fail({.file = path}, "", absl::StrCat("is larger than ", kMaxConfigFileBytes, " bytes"));
    return std::nullopt;
  }
  return text;
}

std::vector<std::string> TomlFilesIn(const std::string& directory, ConfigReport& report) {
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(opendir(directory.c_str()), closedir);
  std::vector<std::string> paths;
  if (entries == nullptr) {
    if (errno != ENOENT) report.Fail({.file = directory}, "", CanNotBeRead(errno));
    return paths;
  }
  errno = 0;
  while (const dirent* entry = readdir(entries.get())) {
    const std::string name = entry->d_name;
    if (name[0] != '.' && absl::EndsWith(name, ".toml")) paths.push_back(absl::StrCat(directory, "/", name));
    errno = 0;
  }
  if (errno != 0) report.Fail({.file = directory}, "", CanNotBeRead(errno));
  std::ranges::sort(paths);
  return paths;
}

}  // namespace volcrypt
