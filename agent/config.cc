#include "agent/config.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "agent/config_reader.h"
#include "encryptors/unique_fd.h"

namespace volcrypt {
namespace {

constexpr char kTomlEnding[] = ".toml";

std::string ErrnoText(int error) { return std::generic_category().message(error); }

// At most one byte more than the reader takes, so that it can tell a file that is too large.
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

void AddFile(ConfigReader& reader, const std::string& path, bool must_exist) {
  std::string text;
  const int error = ReadText(path, text);
  if (error == 0) {
    reader.Add(text, path);
  } else if (error != ENOENT || must_exist) {
    reader.Fail(path, absl::StrCat("can not be read: ", ErrnoText(error)));
  }
}

std::string DropInDirectory(const std::string& path) {
  const size_t ending = sizeof(kTomlEnding) - 1;
  return absl::StrCat(absl::EndsWith(path, kTomlEnding) ? path.substr(0, path.size() - ending) : path, ".d");
}

// In the order of their names. An editor's hidden copies are not meant.
std::vector<std::string> DropIns(ConfigReader& reader, const std::string& directory) {
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(opendir(directory.c_str()), closedir);
  std::vector<std::string> paths;
  if (entries == nullptr) {
    if (errno != ENOENT) reader.Fail(directory, absl::StrCat("can not be read: ", ErrnoText(errno)));
    return paths;
  }
  errno = 0;
  while (const dirent* entry = readdir(entries.get())) {
    const std::string name = entry->d_name;
    if (name[0] != '.' && absl::EndsWith(name, kTomlEnding)) paths.push_back(absl::StrCat(directory, "/", name));
    errno = 0;
  }
  if (errno != 0) reader.Fail(directory, absl::StrCat("can not be read: ", ErrnoText(errno)));
  std::ranges::sort(paths);
  return paths;
}

}  // namespace

std::string ToString(const ConfigError& error) {
  return absl::StrCat(error.file, error.line == 0 ? "" : absl::StrCat(":", error.line), ": ",
                      error.key.empty() ? "" : absl::StrCat(error.key, ": "), error.what);
}

ConfigResult LoadConfig(const std::string& path, bool must_exist) {
  ConfigReader reader;
  AddFile(reader, path, must_exist);
  for (const std::string& drop_in : DropIns(reader, DropInDirectory(path))) AddFile(reader, drop_in, true);
  return reader.Finish();
}

ConfigResult ParseConfig(std::string_view text, const std::string& file) {
  ConfigReader reader;
  reader.Add(text, file);
  return reader.Finish();
}

}  // namespace volcrypt
