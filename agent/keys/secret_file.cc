#include "agent/keys/secret_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <span>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "agent/keys/private_file.h"
#include "encryptors/reason.h"
#include "encryptors/unique_fd.h"

namespace volcrypt {
namespace {

constexpr absl::string_view kCredentialPrefix = "credential:";

absl::Status InvalidField(absl::string_view key, absl::string_view message) {
  return MakeError(Reason::kInvalidField, absl::StrCat(key, ": ", message), {{"field", std::string(key)}});
}

absl::Status Unfit(absl::string_view what, const std::string& path, absl::string_view problem) {
  return MakeError(Reason::kKeyUnfit, absl::StrCat(what, " ", path, " ", problem), {{"path", path}});
}

absl::StatusOr<SecretBytes> CopyOf(std::span<const uint8_t> bytes) {
  absl::StatusOr<SecretBytes> copy = SecretBytes::Allocate(bytes.size());
  if (copy.ok()) std::ranges::copy(bytes, copy->Bytes().begin());
  return copy;
}

absl::StatusOr<SecretBytes> ReadWhole(int fd, size_t size, const std::string& path, absl::string_view what) {
  absl::StatusOr<SecretBytes> secret = SecretBytes::Allocate(size);
  if (!secret.ok()) return secret;
  size_t filled = 0;
  while (filled < size) {
    const ssize_t got = read(fd, secret->Bytes().data() + filled, size - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return FileError(what, path, "cannot be read", errno);
    if (got == 0) return Unfit(what, path, "ended while it was read");
    filled += static_cast<size_t>(got);
  }
  return secret;
}

}  // namespace

absl::StatusOr<SecretFile> LocateSecret(absl::string_view key, const std::string& configured,
                                        const std::string& credentials_directory) {
  if (!absl::StartsWith(configured, kCredentialPrefix)) return SecretFile{.path = configured};
  const std::string name = configured.substr(kCredentialPrefix.size());
  if (name.empty() || absl::StrContains(name, '/')) {
    return InvalidField(key, absl::StrCat("\"", configured, "\" names no credential"));
  }
  if (credentials_directory.empty()) {
    return InvalidField(key, absl::StrCat("\"", configured, "\" needs systemd's credentials (LoadCredential=", name,
                                          ":FILE in the unit); this process was started without them"));
  }
  return SecretFile{.path = absl::StrCat(credentials_directory, "/", name), .is_credential = true};
}

absl::StatusOr<SecretBytes> ReadSecretFile(const SecretFile& file, absl::string_view what) {
  // O_NONBLOCK: a pipe in the file's place must not hold us up.
  const UniqueFd fd(open(file.path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!fd.IsValid()) return FileError(what, file.path, "cannot be opened", errno);
  struct stat status = {};
  if (fstat(fd.Get(), &status) != 0) return FileError(what, file.path, "cannot be examined", errno);
  if (absl::Status check = CheckFileIsPrivate(status, what, file.path, file.is_credential); !check.ok()) return check;
  if (status.st_size == 0) return Unfit(what, file.path, "is empty");
  if (status.st_size > static_cast<off_t>(kMaxSecretFileBytes)) {
    return Unfit(what, file.path, absl::StrCat("is larger than ", kMaxSecretFileBytes, " bytes"));
  }
  return ReadWhole(fd.Get(), static_cast<size_t>(status.st_size), file.path, what);
}

absl::StatusOr<SecretBytes> ReadSecretLine(const SecretFile& file, absl::string_view what) {
  const absl::StatusOr<SecretBytes> whole = ReadSecretFile(file, what);
  if (!whole.ok()) return whole.status();
  std::span<const uint8_t> line = whole->Bytes();
  if (line.back() == '\n') line = line.first(line.size() - 1);
  if (!line.empty() && line.back() == '\r') line = line.first(line.size() - 1);
  if (line.empty()) return Unfit(what, file.path, "is an empty line");
  if (std::ranges::any_of(line, [](uint8_t byte) { return byte == '\n' || byte == '\r' || byte == '\0'; })) {
    return Unfit(what, file.path, "must be one line of text");
  }
  return CopyOf(line);
}

}  // namespace volcrypt
