#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "encryptors/unique_fd.h"

namespace volcrypt {

// What a caller's device path leads to, resolved once. Holds the file by an O_PATH descriptor, so nothing that later
// happens to the path or to links on the way can lead elsewhere.
class ResolvedDevice {
 public:
  // DEVICE_NOT_FOUND; DEVICE_NOT_ALLOWED when the resolved path lies under none of the prefixes or is neither a block
  // device nor a regular file.
  static absl::StatusOr<ResolvedDevice> Resolve(const std::string& path, const std::vector<std::string>& prefixes);

  const std::string& Path() const { return path_; }  // canonical
  bool IsFile() const { return is_file_; }
  dev_t BlockNumber() const { return number_; }  // of a block device; 0 for a file
  int PathFd() const { return fd_.Get(); }
  // Whether the path leads to the same device, by whichever node or link, or to the same file.
  bool IsAt(const std::string& path) const;

 private:
  UniqueFd fd_;
  std::string path_;
  bool is_file_ = false;
  dev_t number_ = 0;
};

// The block device that backs a volume, opened once and held to the end of the operation: the descriptor pins its
// identity, for without it the number of a disk that is removed goes to the next disk at once.
class BackingDevice {
 public:
  enum class Access : uint8_t { kReadOnly, kReadWrite };

  // Opens and, for a regular file, puts it behind a loop device. With `lock`, flock(2)s the device node or file
  // exclusively, waiting at most until `lock_deadline` for udev's probe of it to end.
  // DEVICE_NOT_FOUND, DEVICE_READ_ONLY (write-protected, read-write asked), DEVICE_IN_USE, DEVICE_IO_ERROR.
  static absl::StatusOr<BackingDevice> Open(const ResolvedDevice& resolved, Access access, bool lock,
                                            absl::Time lock_deadline);

  // Canonical path of the device or file.
  const std::string& Path() const { return path_; }
  int Fd() const { return fd_.Get(); }
  // Opens this very device anew: for interfaces that take a path.
  std::string PinnedPath() const;
  dev_t Number() const { return number_; }
  uint64_t SizeBytes() const { return size_bytes_; }
  uint32_t LogicalBlockBytes() const { return logical_block_bytes_; }
  bool IsWriteProtected() const { return write_protected_; }
  bool IsFile() const { return file_.IsValid(); }

  // A descriptor for O_DIRECT reads that also claims the device exclusively (O_EXCL), so that nobody mounts or maps
  // it while it is probed. DEVICE_IN_USE names who has it.
  absl::StatusOr<UniqueFd> OpenExclusive() const;
  // The same without the claim.
  absl::StatusOr<UniqueFd> OpenForReading() const;

  // Size and every identity that the kernel knows (number, WWN, serial, dm UUID) as one text, read anew.
  absl::StatusOr<std::string> ReadIdentity() const;
  // What of it is the same after the device was gone and came back: not the number; of a file, its inode.
  absl::StatusOr<std::string> ReadLastingIdentity() const;

 private:
  absl::Status ReadGeometry();
  absl::StatusOr<uint64_t> ReadSize() const;

  UniqueFd file_;  // behind the loop device
  UniqueFd fd_;    // the block device
  std::string path_;
  dev_t number_ = 0;
  uint64_t size_bytes_ = 0;
  uint32_t logical_block_bytes_ = 512;
  bool write_protected_ = false;
};

}  // namespace volcrypt
