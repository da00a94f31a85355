#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "encryptors/unique_fd.h"

namespace volcrypt {

// Puts a regular file behind a loop device that the kernel removes when its last user closes (autoclear): whatever
// happens to the worker before a mapping lies over it, nothing is left. Returns the loop device, open.
// KERNEL_UNSUPPORTED without the loop module, DEVICE_IO_ERROR otherwise.
absl::StatusOr<UniqueFd> AttachLoopDevice(int file, bool read_only);

// Tells the loop device that its file has grown.
absl::Status RefreshLoopDeviceSize(dev_t loop_device);

// True when the block device is a loop device over this very file (device and inode numbers).
bool IsLoopDeviceOver(dev_t block_device, const std::string& file_path);

// The loop devices that lie over the file.
std::vector<dev_t> LoopDevicesOver(int file);
std::vector<dev_t> LoopDevicesOverPath(const std::string& file_path);

// The backing file of a loop device, from sysfs; empty when it is none.
std::string LoopBackingFile(dev_t block_device);

// True for a loop device with autoclear, as AttachLoopDevice makes them: then the volume is its file. One that somebody
// set up and gave us as a device is a device like others.
bool IsOurKindOfLoopDevice(dev_t block_device);

}  // namespace volcrypt
