#include "agent/keys/local/key_encryption_key.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "agent/keys/local/key_wrap.h"
#include "agent/keys/local/random_bytes.h"
#include "agent/keys/private_file.h"
#include "encryptors/reason.h"
#include "encryptors/unique_fd.h"

namespace volcrypt {
namespace {

constexpr absl::string_view kWhat = "the key-encryption key";

absl::Status Unfit(const std::string& path, absl::string_view problem) {
  return MakeError(Reason::kKeyUnfit, absl::StrCat(kWhat, " ", path, " ", problem), {{"path", path}});
}

absl::StatusOr<SecretBytes> ReadKek(int fd, const std::string& path) {
  absl::StatusOr<SecretBytes> kek = SecretBytes::Allocate(kKekBytes);
  if (!kek.ok()) return kek;
  size_t filled = 0;
  while (filled < kKekBytes) {
    const ssize_t got = read(fd, kek->Bytes().data() + filled, kKekBytes - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return FileError(kWhat, path, "cannot be read", errno);
    if (got == 0) return Unfit(path, "ended while it was read");
    filled += static_cast<size_t>(got);
  }
  return kek;
}

absl::Status WriteKek(int fd, const SecretBytes& kek, const std::string& path) {
  size_t written = 0;
  while (written < kek.Size()) {
    const ssize_t put = write(fd, kek.Bytes().data() + written, kek.Size() - written);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return FileError(kWhat, path, "cannot be written", errno);
    written += static_cast<size_t>(put);
  }
  // The mode that was asked for, whatever the umask took away.
  if (fchmod(fd, S_IRUSR | S_IWUSR) != 0) return FileError(kWhat, path, "cannot be given its mode", errno);
  if (fsync(fd) != 0) return FileError(kWhat, path, "cannot be written to the disk", errno);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::optional<SecretBytes>> LoadKeyEncryptionKey(const std::string& path, bool is_credential) {
  // O_NONBLOCK: a pipe in the file's place must not hold us up.
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!fd.IsValid() && errno == ENOENT) return std::nullopt;
  if (!fd.IsValid() && errno == ELOOP) return Unfit(path, "is a symbolic link; name the file itself");
  if (!fd.IsValid()) return FileError(kWhat, path, "cannot be opened", errno);
  struct stat status = {};
  if (fstat(fd.Get(), &status) != 0) return FileError(kWhat, path, "cannot be examined", errno);
  if (absl::Status check = CheckFileIsPrivate(status, kWhat, path, is_credential); !check.ok()) return check;
  if (status.st_size != static_cast<off_t>(kKekBytes)) {
    return Unfit(path, absl::StrCat("has ", status.st_size, " bytes; it must have exactly ", kKekBytes, " raw bytes"));
  }
  absl::StatusOr<SecretBytes> kek = ReadKek(fd.Get(), path);
  if (!kek.ok()) return kek.status();
  // What a file system shows after a crash that came between a file's size and its content.
  if (std::ranges::all_of(kek->Bytes(), [](uint8_t byte) { return byte == 0; })) {
    return Unfit(path, "holds nothing but zeros; restore it from a backup");
  }
  return std::optional<SecretBytes>(*std::move(kek));
}

absl::StatusOr<SecretBytes> CreateKeyEncryptionKey(const std::string& path) {
  const std::string unfinished = path + ".new";
  if (unlink(unfinished.c_str()) != 0 && errno != ENOENT) {
    return FileError(kWhat, unfinished, "is left over and cannot be removed", errno);
  }
  absl::StatusOr<SecretBytes> kek = SecretBytes::Allocate(kKekBytes);
  if (!kek.ok()) return kek;
  FillRandom(kek->Bytes());

  const UniqueFd fd(open(unfinished.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR));
  if (!fd.IsValid()) return FileError(kWhat, unfinished, "cannot be created", errno);
  absl::Cleanup remove_unfinished = [&unfinished] { unlink(unfinished.c_str()); };
  if (absl::Status written = WriteKek(fd.Get(), *kek, unfinished); !written.ok()) return written;
  if (renameat2(AT_FDCWD, unfinished.c_str(), AT_FDCWD, path.c_str(), RENAME_NOREPLACE) != 0) {
    return FileError(kWhat, path, "cannot be put in its place", errno);
  }
  std::move(remove_unfinished).Cancel();
  if (absl::Status synced = SyncDirectory(DirectoryOf(path)); !synced.ok()) return synced;
  return kek;
}

}  // namespace volcrypt
