#pragma once

#include <libcryptsetup.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace volcrypt {

struct CryptDeviceDeleter {
  void operator()(crypt_device* device) const { crypt_free(device); }
};
// The one owner of a libcryptsetup context.
using CryptDevice = std::unique_ptr<crypt_device, CryptDeviceDeleter>;

// Process-wide settings, made before the first context and never undone:
// - metadata locking off, which also turns off the header repair that crypt_load would otherwise write unasked; the
//   volume lock and flock on the device stand in for it;
// - external token plug-ins off, since the header's writer would choose which one is loaded;
// - log lines kept for LastCryptMessage instead of going to standard output.
void SetUpLibcryptsetup();

// The last error line of libcryptsetup; it never holds a secret.
std::string LastCryptMessage();

// A context over a path (a pinned /proc/self/fd/N), nothing loaded yet. DEVICE_IO_ERROR.
absl::StatusOr<CryptDevice> NewCryptDevice(const std::string& path);

// "doing WHAT: strerror (libcryptsetup's own line)" for a negative errno that it returned.
std::string CryptErrorText(const std::string& what, int error);

}  // namespace volcrypt
