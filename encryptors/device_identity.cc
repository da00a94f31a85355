#include "encryptors/device_identity.h"

#include <sys/sysmacros.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace volcrypt {
namespace {

constexpr size_t kMaxIdentityBytes = 512;

// Missing files read as empty: not every kind of device has every identity.
std::string ReadLine(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

std::string SysfsOf(dev_t number) { return absl::StrCat("/sys/dev/block/", major(number), ":", minor(number)); }

// Hardware says what it likes; this goes into records and messages.
std::string Printable(std::string text) {
  std::ranges::replace_if(
      text, [](char c) { return !absl::ascii_isprint(static_cast<unsigned char>(c)); }, '?');
  return text.substr(0, kMaxIdentityBytes);
}

}  // namespace

std::string HardwareIdentity(dev_t number) {
  const std::string sysfs = SysfsOf(number);
  return Printable(absl::StrCat("wwid=", ReadLine(sysfs + "/wwid"), ReadLine(sysfs + "/device/wwid"),
                                " serial=", ReadLine(sysfs + "/serial"), ReadLine(sysfs + "/device/serial"),
                                " dm=", ReadLine(sysfs + "/dm/uuid")));
}

std::string ShownIdentity(dev_t number) {
  const std::string sysfs = SysfsOf(number);
  std::string text = absl::StrCat(major(number), ":", minor(number));
  // These the kernel knows; for /serial virtio-blk asks the device.
  constexpr std::array<std::pair<const char*, const char*>, 4> kKnown = {
      {{"wwid", "/wwid"}, {"wwid", "/device/wwid"}, {"serial", "/device/serial"}, {"dm", "/dm/uuid"}}};
  for (const auto& [name, file] : kKnown) {
    const std::string line = ReadLine(sysfs + file);
    const absl::string_view said = absl::StripAsciiWhitespace(line);
    if (!said.empty()) absl::StrAppend(&text, " ", name, "=", said);
  }
  return Printable(std::move(text));
}

}  // namespace volcrypt
