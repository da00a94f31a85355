#include "encryptors/loop_device.h"

#include <fcntl.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "encryptors/reason.h"

namespace volcrypt {
namespace {

namespace fs = std::filesystem;

// Between "give me a free number" and "configure it" another process may take the number.
constexpr int kAttempts = 16;
constexpr size_t kMaxLoopDevices = 4096;

absl::Status LoopError(const std::string& what) {
  const Reason reason =
      errno == ENOENT || errno == ENXIO || errno == ENODEV ? Reason::kKernelUnsupported : Reason::kDeviceIoError;
  return MakeError(reason, absl::StrCat(what, ": ", strerror(errno), "; volumes in files need the loop module"));
}

std::string NodeOf(dev_t loop_device) { return absl::StrCat("/dev/loop", minor(loop_device)); }

std::string ReadAttribute(dev_t block_device, const char* name) {
  std::ifstream file(absl::StrCat("/sys/dev/block/", major(block_device), ":", minor(block_device), "/loop/", name));
  std::string value;
  std::getline(file, value);
  return value;
}

std::string PathOf(int file) {
  std::error_code error;
  return fs::read_symlink(absl::StrCat("/proc/self/fd/", file), error).string();
}

// sysfs writes "7:0".
std::optional<dev_t> NumberIn(const fs::path& attribute) {
  std::ifstream file(attribute);
  unsigned major_number = 0;
  unsigned minor_number = 0;
  char colon = 0;
  if (!(file >> major_number >> colon >> minor_number)) return std::nullopt;
  return makedev(major_number, minor_number);
}

bool IsOverFile(const UniqueFd& loop, const struct stat& file) {
  loop_info64 info = {};
  return loop.IsValid() && ioctl(loop.Get(), LOOP_GET_STATUS64, &info) == 0 && info.lo_device == file.st_dev &&
         info.lo_inode == file.st_ino;
}

}  // namespace

absl::StatusOr<UniqueFd> AttachLoopDevice(int file, bool read_only) {
  const UniqueFd control(open("/dev/loop-control", O_RDWR | O_CLOEXEC));
  if (!control.IsValid()) return LoopError("/dev/loop-control");
  loop_config config = {};
  config.fd = static_cast<__u32>(file);
  config.info.lo_flags = LO_FLAGS_AUTOCLEAR | (read_only ? LO_FLAGS_READ_ONLY : 0);
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const int number = ioctl(control.Get(), LOOP_CTL_GET_FREE);
    if (number < 0) return LoopError("no free loop device");
    UniqueFd loop(open(absl::StrCat("/dev/loop", number).c_str(), (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC));
    if (!loop.IsValid()) return LoopError(absl::StrCat("/dev/loop", number));
    // No direct I/O: Linux 6.1 accepts it over tmpfs and then fails every read.
    if (ioctl(loop.Get(), LOOP_CONFIGURE, &config) == 0) return loop;
    if (errno != EBUSY) return LoopError("configuring a loop device");
  }
  return LoopError("every free loop device was taken by somebody else");
}

absl::Status RefreshLoopDeviceSize(dev_t loop_device) {
  const UniqueFd loop(open(NodeOf(loop_device).c_str(), O_RDONLY | O_CLOEXEC));
  if (!loop.IsValid() || ioctl(loop.Get(), LOOP_SET_CAPACITY, 0) != 0) return LoopError(NodeOf(loop_device));
  return absl::OkStatus();
}

bool IsLoopDeviceOver(dev_t block_device, const std::string& file_path) {
  struct stat file = {};
  if (stat(file_path.c_str(), &file) != 0 || LoopBackingFile(block_device).empty()) return false;
  return IsOverFile(UniqueFd(open(NodeOf(block_device).c_str(), O_RDONLY | O_CLOEXEC)), file);
}

std::vector<dev_t> LoopDevicesOverPath(const std::string& file_path) {
  const UniqueFd file(open(file_path.c_str(), O_PATH | O_CLOEXEC));
  return LoopDevicesOver(file.Get());
}

std::vector<dev_t> LoopDevicesOver(int file) {
  std::vector<dev_t> loops;
  struct stat file_stat = {};
  if (fstat(file, &file_stat) != 0) return loops;
  std::error_code error;
  size_t seen = 0;
  for (const fs::directory_entry& entry : fs::directory_iterator("/sys/block", error)) {
    const std::string name = entry.path().filename().string();
    if (!absl::StartsWith(name, "loop") || ++seen > kMaxLoopDevices) continue;
    if (!fs::exists(entry.path() / "loop" / "backing_file", error)) continue;
    const std::optional<dev_t> number = NumberIn(entry.path() / "dev");
    if (!number) continue;
    const UniqueFd loop(open(absl::StrCat("/dev/", name).c_str(), O_RDONLY | O_CLOEXEC));
    // One that cannot be asked is judged by the path that it was given.
    const bool is_over = loop.IsValid() ? IsOverFile(loop, file_stat) : LoopBackingFile(*number) == PathOf(file);
    if (is_over) loops.push_back(*number);
  }
  return loops;
}

std::string LoopBackingFile(dev_t block_device) { return ReadAttribute(block_device, "backing_file"); }

bool IsOurKindOfLoopDevice(dev_t block_device) { return ReadAttribute(block_device, "autoclear") == "1"; }

}  // namespace volcrypt
