#include "tools/volcryptctl/os_token.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "tools/volcryptctl/call_error.h"

namespace volcrypt::ctl {
namespace {

// What the agent takes.
constexpr size_t kMaxTokenBytes = size_t{16} * 1024;

absl::Status Wrong(const std::string& path, absl::string_view what) {
  return UsageError(absl::StrCat("--os-token-file: ", path, " ", what));
}

absl::Status Failed(const std::string& path, absl::string_view what, int error) {
  return Wrong(path, absl::StrCat(what, ": ", std::generic_category().message(error)));
}

// At most two bytes more than a token has: the end of its line, and one that makes it too long.
absl::StatusOr<std::string> ReadText(int fd, const std::string& path) {
  std::string text(kMaxTokenBytes + 2, '\0');
  size_t size = 0;
  while (size < text.size()) {
    const ssize_t got = ::read(fd, text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Failed(path, "cannot be read", errno);
    if (got == 0) break;
    size += static_cast<size_t>(got);
  }
  text.resize(size);
  return text;
}

}  // namespace

absl::StatusOr<std::string> ReadOsToken(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return Failed(path, "cannot be opened", errno);
  const absl::Cleanup close = [fd] { ::close(fd); };
  struct stat status = {};
  if (::fstat(fd, &status) != 0) return Failed(path, "cannot be examined", errno);
  if (S_ISREG(status.st_mode) && (status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return Wrong(path, absl::StrCat("may be read by others; run: chmod 600 ", path));
  }
  absl::StatusOr<std::string> token = ReadText(fd, path);
  if (!token.ok()) return token;
  if (token->ends_with('\n')) token->pop_back();
  const bool is_token = !token->empty() && token->size() <= kMaxTokenBytes && std::ranges::all_of(*token, [](char c) {
    return absl::ascii_isgraph(static_cast<unsigned char>(c));
  });
  if (!is_token) return Wrong(path, "must have the token as its one line");
  return token;
}

}  // namespace volcrypt::ctl
