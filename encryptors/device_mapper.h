#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "encryptors/crypt_table.h"

namespace volcrypt {

// A device-mapper device as the kernel describes it.
struct DmDevice {
  std::string name;
  std::string uuid;
  dev_t number = 0;
  uint64_t size_sectors = 0;  // of 512 bytes
  uint64_t open_count = 0;
  bool read_only = false;
  bool suspended = false;
  bool deferred_remove = false;
  std::optional<CryptTable> crypt;  // when its table is exactly one crypt target
};

// The application's verbs over libdevmapper; the only file that calls it. libdevmapper is not thread-safe: one thread.
// Errors: KERNEL_UNSUPPORTED when device-mapper does not answer at all, else what each function says.
class DeviceMapper {
 public:
  DeviceMapper();

  // Nothing when no device has the name. Asks the kernel only, so it answers while the device hangs.
  absl::StatusOr<std::optional<DmDevice>> Find(const std::string& name);

  // Removes at once or not at all: MAPPING_IN_USE while it is open (libcryptsetup would retry for 4.8 s). With
  // `deferred` a busy device goes when its last user closes; the answer is whether that is pending.
  absl::StatusOr<bool> Remove(const std::string& name, bool deferred);

  // Takes a deferred removal back and makes the /dev/mapper node again.
  absl::Status CancelDeferredRemove(const std::string& name);

 private:
  // Without udevd libdevmapper has to make the nodes under /dev/mapper itself.
  bool udev_running_ = false;
};

// True when the dm UUID is one that volcrypt gave this mapping: CRYPT-(LUKS1|LUKS2)-<32 hex>-<name> or
// CRYPT-PLAIN-<name>.
bool IsOurDmUuid(const std::string& dm_uuid, const std::string& mapping_name);

// The LUKS UUID in its usual form with dashes; empty for plain mappings and others.
std::string LuksUuidOfDmUuid(const std::string& dm_uuid);

// Names of the dm devices that lie directly over a block device, from sysfs.
std::vector<std::string> DmHoldersOf(dev_t device);
// Names of whatever lies over it: dm names, and kernel names of others (md0).
std::vector<std::string> HoldersOf(dev_t device);
// The dm name of a block device; empty when it is not a dm device.
std::string DmNameOf(dev_t device);

}  // namespace volcrypt
