#include <algorithm>
#include <array>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tools/volcryptctl/doctor/checks.h"
#include "tools/volcryptctl/doctor/host_files.h"

namespace volcrypt::ctl {
namespace {

constexpr std::array<const char*, 3> kModules = {"dm_mod", "dm_crypt", "loop"};
constexpr absl::Duration kClockTolerance = absl::Minutes(5);

// A line of modules.builtin or modules.dep: PATH/NAME.ko, perhaps compressed. Dashes and underscores are the same.
bool Lists(const Host& host, const char* file, const std::string& module) {
  const std::string path = absl::StrCat("/lib/modules/", host.kernel_release, "/", file);
  auto text = ReadText(host.At(path), size_t{4} * kMaxTextBytes);
  if (!text.ok()) return false;
  std::ranges::replace(*text, '-', '_');
  return absl::StrContains(*text, absl::StrCat("/", module, ".ko"));
}

Finding CheckModule(const Host& host, const std::string& module) {
  if (Exists(host.At(absl::StrCat("/sys/module/", module)))) return Fine(absl::StrCat(module, " is there"));
  if (Lists(host, "modules.builtin", module)) return Fine(absl::StrCat(module, " is built in"));
  if (Lists(host, "modules.dep", module)) {
    return Warning(absl::StrCat(module, " is not loaded, but can be"),
                   absl::StrCat("run \"modprobe ", module, "\": volcrypt-helper may not load modules itself"));
  }
  return Fault(absl::StrCat("kernel ", host.kernel_release, " has no ", module),
               "install the package with all modules of the running kernel, or boot the kernel whose modules are "
               "installed");
}

// The newest of what cannot lie in the future: the program was built before it runs, the agent's socket made before.
std::string FromTheFuture(const Examination& examination) {
  for (const std::string& path : {examination.socket, examination.host.At("/proc/self/exe")}) {
    const auto status = StatusOf(path);
    if (status.ok() && absl::FromTimeT(status->st_mtime) > examination.host.now + kClockTolerance) return path;
  }
  return "";
}

}  // namespace

Findings CheckModules(const Examination& examination) {
  Findings findings;
  for (const char* module : kModules) findings.push_back(CheckModule(examination.host, module));
  return findings;
}

Findings CheckDeviceMapper(const Examination& examination) {
  const std::string path = "/dev/mapper/control";
  const auto status = StatusOf(examination.host.At(path));
  if (!status.ok()) {
    if (absl::IsPermissionDenied(status.status())) return {Hidden(path)};
    return {Fault(absl::StrCat(path, " does not exist"), "run \"modprobe dm_mod\", then restart volcrypt-helper")};
  }
  // A regular file stands for it in tests alone: only the kernel makes device nodes.
  if (!S_ISCHR(status->st_mode) && examination.host.root.empty()) {
    return {Fault(absl::StrCat(path, " is not a device"), absl::StrCat("remove it and run \"dmsetup mknodes\""))};
  }
  if ((status->st_mode & (S_IRWXG | S_IRWXO)) != 0 && status->st_gid == 0) {
    return {Warning(absl::StrCat(path, " is open to others than root"), absl::StrCat("run \"chmod 0600 ", path, "\""))};
  }
  return {Fine(absl::StrCat(path, " is there"))};
}

Findings CheckClock(const Examination& examination) {
  const std::string future = FromTheFuture(examination);
  if (!future.empty()) {
    return {Fault(absl::StrCat("the clock says ", absl::FormatTime(examination.host.now, absl::UTCTimeZone()), ", but ",
                               future, " is newer"),
                  "set the clock: certificates and tokens of key managers are refused at the wrong time")};
  }
  if (!examination.host.clock_is_synchronised) {
    return {Warning("nothing keeps the clock right", "run an NTP client, such as systemd-timesyncd or chrony")};
  }
  return {Fine("synchronised")};
}

}  // namespace volcrypt::ctl
