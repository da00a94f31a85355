#include "encryptors/backing_device.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstring>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "encryptors/device_identity.h"
#include "encryptors/device_mapper.h"
#include "encryptors/loop_device.h"
#include "encryptors/reason.h"

namespace volcrypt {
namespace {

constexpr absl::Duration kLockPoll = absl::Milliseconds(5);

// An autoclear loop device of the operation before may take a moment to go.
constexpr absl::Duration kLoopTeardown = absl::Milliseconds(500);

std::string FdPath(int fd) { return absl::StrCat("/proc/self/fd/", fd); }

absl::Status OpenError(const std::string& path) {
  const ErrorMetadata metadata = {{"device", path}};
  const std::string text = absl::StrCat("device ", path, ": ", strerror(errno));
  switch (errno) {
    case ENOENT:
    case ENOTDIR:
    case ENXIO:
    case ENODEV:
    case ELOOP:
    case ENAMETOOLONG:
      return MakeError(Reason::kDeviceNotFound, absl::StrCat(text, "; check that the host is connected to it"),
                       metadata);
    case EROFS:
    case EACCES:
    case EPERM:
      return MakeError(Reason::kDeviceReadOnly,
                       absl::StrCat(text, "; attach it read-only or lift the write protection"), metadata);
    case EBUSY:
      return MakeError(Reason::kDeviceInUse, text, metadata);
    default:
      return MakeError(Reason::kDeviceIoError, text, metadata);
  }
}

absl::Status InUse(const std::string& path, dev_t number) {
  const std::vector<std::string> holders = HoldersOf(number);
  const std::string by = holders.empty() ? "somebody (mounted, or opened exclusively)" : absl::StrJoin(holders, ", ");
  return MakeError(Reason::kDeviceInUse, absl::StrCat("device ", path, " is in use by ", by, "; release it first"),
                   {{"device", path}, {"used_by", by}});
}

absl::StatusOr<std::string> CanonicalPath(int fd, const std::string& given) {
  std::array<char, PATH_MAX> buffer;
  const ssize_t length = readlink(FdPath(fd).c_str(), buffer.data(), buffer.size());
  if (length <= 0 || static_cast<size_t>(length) == buffer.size()) return OpenError(given);
  return std::string(buffer.data(), static_cast<size_t>(length));
}

bool IsUnder(const std::string& path, const std::vector<std::string>& prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [&](const std::string& prefix) { return absl::StartsWith(path, prefix); });
}

// udev takes a shared lock while it probes a device, which it does whenever a writer has closed it.
absl::Status LockDevice(int fd, const std::string& path, dev_t number, absl::Time deadline) {
  while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) return OpenError(path);
    if (absl::Now() >= deadline) {
      return MakeError(Reason::kDeviceInUse,
                       absl::StrCat("device ", path, " is locked by another operation or program; used by: ",
                                    absl::StrJoin(HoldersOf(number), ", ")),
                       {{"device", path}});
    }
    absl::SleepFor(kLockPoll);
  }
  return absl::OkStatus();
}

// A second loop device over the same file would be a way round every exclusive claim.
absl::Status RefuseOtherLoops(int file, const std::string& path) {
  const absl::Time deadline = absl::Now() + kLoopTeardown;
  while (true) {
    const std::vector<dev_t> loops = LoopDevicesOver(file);
    if (loops.empty()) return absl::OkStatus();
    if (absl::Now() >= deadline) return InUse(path, loops.front());
    absl::SleepFor(kLockPoll);
  }
}

}  // namespace

absl::StatusOr<ResolvedDevice> ResolvedDevice::Resolve(const std::string& path,
                                                       const std::vector<std::string>& prefixes) {
  ResolvedDevice resolved;
  resolved.fd_.Reset(open(path.c_str(), O_PATH | O_CLOEXEC));
  struct stat status = {};
  if (!resolved.fd_.IsValid() || fstat(resolved.fd_.Get(), &status) != 0) return OpenError(path);
  absl::StatusOr<std::string> canonical = CanonicalPath(resolved.fd_.Get(), path);
  if (!canonical.ok()) return canonical.status();
  resolved.path_ = *std::move(canonical);
  if (!IsUnder(resolved.path_, prefixes)) {
    return MakeError(Reason::kDeviceNotAllowed,
                     absl::StrCat("device ", path, " leads to ", resolved.path_,
                                  ", which lies outside the allowed prefixes: ", absl::StrJoin(prefixes, ", ")),
                     {{"field", "device"}, {"device", resolved.path_}});
  }
  if (!S_ISBLK(status.st_mode) && !S_ISREG(status.st_mode)) {
    return MakeError(Reason::kDeviceNotAllowed,
                     absl::StrCat(resolved.path_, " is neither a block device nor a regular file"),
                     {{"field", "device"}, {"device", resolved.path_}});
  }
  resolved.is_file_ = S_ISREG(status.st_mode);
  if (!resolved.is_file_) resolved.number_ = status.st_rdev;
  return resolved;
}

bool ResolvedDevice::IsAt(const std::string& path) const {
  if (path == path_) return true;
  struct stat there = {};
  struct stat here = {};
  if (stat(path.c_str(), &there) != 0 || fstat(fd_.Get(), &here) != 0) return false;
  if (!is_file_) return S_ISBLK(there.st_mode) && there.st_rdev == number_;
  return S_ISREG(there.st_mode) && there.st_dev == here.st_dev && there.st_ino == here.st_ino;
}

absl::StatusOr<BackingDevice> BackingDevice::Open(const ResolvedDevice& resolved, Access access, bool lock,
                                                  absl::Time lock_deadline) {
  const int mode = access == Access::kReadWrite ? O_RDWR : O_RDONLY;
  BackingDevice device;
  device.path_ = resolved.Path();
  // Through the O_PATH descriptor: this is the very file that was checked, whatever the path leads to by now.
  UniqueFd opened(open(FdPath(resolved.PathFd()).c_str(), mode | O_CLOEXEC | O_NONBLOCK));
  if (!opened.IsValid()) return OpenError(resolved.Path());
  if (lock) {
    const absl::Status locked = LockDevice(opened.Get(), resolved.Path(), resolved.BlockNumber(), lock_deadline);
    if (!locked.ok()) return locked;
  }
  if (resolved.IsFile()) {
    if (lock) {
      if (absl::Status status = RefuseOtherLoops(opened.Get(), resolved.Path()); !status.ok()) return status;
    }
    device.file_ = std::move(opened);
    // A loop device keeps the open file that it is given, and with it our lock, which is to end with this operation.
    const UniqueFd for_loop(open(FdPath(device.file_.Get()).c_str(), mode | O_CLOEXEC));
    if (!for_loop.IsValid()) return OpenError(resolved.Path());
    absl::StatusOr<UniqueFd> loop = AttachLoopDevice(for_loop.Get(), access == Access::kReadOnly);
    if (!loop.ok()) return loop.status();
    opened = *std::move(loop);
  }
  device.fd_ = std::move(opened);
  if (absl::Status status = device.ReadGeometry(); !status.ok()) return status;
  if (access == Access::kReadWrite && device.write_protected_) {
    errno = EROFS;  // BLKROGET knows what open(2) of a block device does not say
    return OpenError(resolved.Path());
  }
  return device;
}

absl::Status BackingDevice::ReadGeometry() {
  struct stat status = {};
  int read_only = 0;
  int block = 0;
  if (fstat(fd_.Get(), &status) != 0 || ioctl(fd_.Get(), BLKGETSIZE64, &size_bytes_) != 0 ||
      ioctl(fd_.Get(), BLKROGET, &read_only) != 0 || ioctl(fd_.Get(), BLKSSZGET, &block) != 0) {
    return OpenError(path_);
  }
  number_ = status.st_rdev;
  write_protected_ = read_only != 0;
  logical_block_bytes_ = static_cast<uint32_t>(block);
  return absl::OkStatus();
}

std::string BackingDevice::PinnedPath() const { return FdPath(fd_.Get()); }

absl::StatusOr<UniqueFd> BackingDevice::OpenExclusive() const {
  UniqueFd fd(open(PinnedPath().c_str(), O_RDONLY | O_DIRECT | O_EXCL | O_CLOEXEC));
  if (fd.IsValid()) return fd;
  if (errno == EBUSY) return InUse(path_, number_);
  return OpenError(path_);
}

absl::StatusOr<UniqueFd> BackingDevice::OpenForReading() const {
  UniqueFd fd(open(PinnedPath().c_str(), O_RDONLY | O_DIRECT | O_CLOEXEC));
  if (!fd.IsValid()) return OpenError(path_);
  return fd;
}

absl::StatusOr<uint64_t> BackingDevice::ReadSize() const {
  uint64_t size = 0;
  if (ioctl(fd_.Get(), BLKGETSIZE64, &size) != 0) return OpenError(path_);
  return size;
}

absl::StatusOr<std::string> BackingDevice::ReadIdentity() const {
  struct stat status = {};
  if (fstat(fd_.Get(), &status) != 0) return OpenError(path_);
  const absl::StatusOr<uint64_t> size = ReadSize();
  if (!size.ok()) return size.status();
  return absl::StrCat("size=", *size, " number=", major(status.st_rdev), ":", minor(status.st_rdev), " ",
                      HardwareIdentity(number_));
}

absl::StatusOr<std::string> BackingDevice::ReadLastingIdentity() const {
  const absl::StatusOr<uint64_t> size = ReadSize();
  if (!size.ok()) return size.status();
  if (!IsFile()) return absl::StrCat("size=", *size, " ", HardwareIdentity(number_));
  struct stat status = {};
  if (fstat(file_.Get(), &status) != 0) return OpenError(path_);
  return absl::StrCat("size=", *size, " inode=", status.st_ino);
}

}  // namespace volcrypt
