#include "tools/volcryptctl/device_argument.h"

#include <filesystem>
#include <system_error>

namespace volcrypt::ctl {

std::string AbsoluteDevice(const std::string& device) {
  if (device.empty() || device.front() == '/') return device;
  std::error_code error;
  const std::filesystem::path here = std::filesystem::current_path(error);
  return error ? device : (here / device).string();
}

}  // namespace volcrypt::ctl
