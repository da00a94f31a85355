#include "encryptors/device_mapper.h"

#include <libdevmapper.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <system_error>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "encryptors/reason.h"

namespace volcrypt {
namespace {

namespace fs = std::filesystem;

constexpr size_t kUuidHexDigits = 32;
constexpr int kMaxHolders = 256;

struct DmTaskDeleter {
  void operator()(dm_task* task) const { dm_task_destroy(task); }
};
using DmTask = std::unique_ptr<dm_task, DmTaskDeleter>;

DmTask NewTask(int type, const std::string& name) {
  DmTask task(dm_task_create(type));
  if (task && dm_task_set_name(task.get(), name.c_str()) == 0) task.reset();
  return task;
}

absl::Status NoDeviceMapper(const std::string& what) {
  return MakeError(Reason::kKernelUnsupported,
                   absl::StrCat("device-mapper does not answer (", what, "); is the dm_mod module loaded?"));
}

// Errors come back as return values; its chatter belongs on nobody's terminal.
// NOLINTNEXTLINE(cert-dcl50-cpp): the type is libdevmapper's
void DropLog(int, const char*, int, int, const char*, ...) {}

std::string ReadLine(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

fs::path SysfsOf(dev_t device) { return absl::StrCat("/sys/dev/block/", major(device), ":", minor(device)); }

// The table, when it is one crypt target that covers the device. The kernel's answer may hold a LUKS1 volume key, so
// the task wipes its buffers.
void ReadTable(const std::string& name, DmDevice& device) {
  const DmTask task = NewTask(DM_DEVICE_TABLE, name);
  if (!task || dm_task_secure_data(task.get()) == 0 || dm_task_run(task.get()) == 0) return;
  uint64_t start = 0;
  uint64_t length = 0;
  char* type = nullptr;
  char* params = nullptr;
  const void* next = dm_get_next_target(task.get(), nullptr, &start, &length, &type, &params);
  device.size_sectors = start + length;
  if (next != nullptr || start != 0 || type == nullptr || params == nullptr || strcmp(type, "crypt") != 0) return;
  device.crypt = ParseCryptTable(params);
}

}  // namespace

DeviceMapper::DeviceMapper() : udev_running_(access("/run/udev/control", F_OK) == 0) {
  dm_log_with_errno_init(DropLog);
  // Also read by the copy of these functions that libcryptsetup calls in this process.
  if (!udev_running_) setenv("DM_DISABLE_UDEV", "1", 1);
}

absl::StatusOr<std::optional<DmDevice>> DeviceMapper::Find(const std::string& name) {
  const DmTask task = NewTask(DM_DEVICE_INFO, name);
  if (!task || dm_task_run(task.get()) == 0) return NoDeviceMapper("device info");
  dm_info info = {};
  if (dm_task_get_info(task.get(), &info) == 0) return NoDeviceMapper("device info");
  if (info.exists == 0) return std::nullopt;
  DmDevice device{.name = name,
                  .number = makedev(info.major, info.minor),
                  .open_count = static_cast<uint64_t>(info.open_count),
                  .read_only = info.read_only != 0,
                  .suspended = info.suspended != 0,
                  .deferred_remove = info.deferred_remove != 0};
  const char* uuid = dm_task_get_uuid(task.get());
  if (uuid != nullptr) device.uuid = uuid;
  ReadTable(name, device);
  return device;
}

absl::StatusOr<bool> DeviceMapper::Remove(const std::string& name, bool deferred) {
  const DmTask task = NewTask(DM_DEVICE_REMOVE, name);
  if (!task) return NoDeviceMapper("remove");
  if (deferred && dm_task_deferred_remove(task.get()) == 0) return NoDeviceMapper("deferred remove");
  uint32_t cookie = 0;
  if (udev_running_ && dm_task_set_cookie(task.get(), &cookie, 0) == 0) return NoDeviceMapper("udev cookie");
  const bool removed = dm_task_run(task.get()) != 0;
  const int error = dm_task_get_errno(task.get());
  if (udev_running_) dm_udev_wait(cookie);
  dm_task_update_nodes();
  if (!removed) {
    if (error == EBUSY) {
      return MakeError(Reason::kMappingInUse,
                       absl::StrCat("mapping ", name, " is in use; close its users first, or detach deferred"),
                       {{"mapping", name}});
    }
    if (error == ENXIO) return false;  // gone meanwhile
    return MakeError(Reason::kKernelUnsupported,
                     absl::StrCat("the kernel did not remove mapping ", name, ": ", strerror(error)));
  }
  if (!deferred) return false;
  const absl::StatusOr<std::optional<DmDevice>> left = Find(name);
  if (!left.ok()) return left.status();
  return left->has_value();
}

absl::Status DeviceMapper::CancelDeferredRemove(const std::string& name) {
  const DmTask task = NewTask(DM_DEVICE_TARGET_MSG, name);
  if (!task || dm_task_set_sector(task.get(), 0) == 0 ||
      dm_task_set_message(task.get(), "@cancel_deferred_remove") == 0 || dm_task_run(task.get()) == 0) {
    return MakeError(Reason::kMappingInUse, absl::StrCat("the deferred removal of mapping ", name,
                                                         " could not be cancelled; wait until it is gone"));
  }
  dm_mknodes(name.c_str());
  dm_task_update_nodes();  // only notes down what to do until then
  return absl::OkStatus();
}

bool IsOurDmUuid(const std::string& dm_uuid, const std::string& mapping_name) {
  if (dm_uuid == absl::StrCat("CRYPT-PLAIN-", mapping_name)) return true;
  return !LuksUuidOfDmUuid(dm_uuid).empty() && absl::EndsWith(dm_uuid, absl::StrCat("-", mapping_name)) &&
         dm_uuid.size() == absl::string_view("CRYPT-LUKS2-").size() + kUuidHexDigits + 1 + mapping_name.size();
}

std::string LuksUuidOfDmUuid(const std::string& dm_uuid) {
  if (!absl::StartsWith(dm_uuid, "CRYPT-LUKS1-") && !absl::StartsWith(dm_uuid, "CRYPT-LUKS2-")) return "";
  const std::string hex = dm_uuid.substr(absl::string_view("CRYPT-LUKS2-").size(), kUuidHexDigits);
  if (hex.size() != kUuidHexDigits) return "";
  for (const char c : hex) {
    if (!absl::ascii_isxdigit(static_cast<unsigned char>(c))) return "";
  }
  return absl::StrCat(hex.substr(0, 8), "-", hex.substr(8, 4), "-", hex.substr(12, 4), "-", hex.substr(16, 4), "-",
                      hex.substr(20));
}

std::string DmNameOf(dev_t device) { return ReadLine(SysfsOf(device) / "dm" / "name"); }

std::vector<std::string> HoldersOf(dev_t device) {
  std::vector<std::string> holders;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(SysfsOf(device) / "holders", error)) {
    if (holders.size() >= kMaxHolders) break;
    const std::string dm_name = ReadLine(entry.path() / "dm" / "name");
    holders.push_back(dm_name.empty() ? entry.path().filename().string() : dm_name);
  }
  return holders;
}

std::vector<std::string> DmHoldersOf(dev_t device) {
  std::vector<std::string> names;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(SysfsOf(device) / "holders", error)) {
    if (names.size() >= kMaxHolders) break;
    if (std::string name = ReadLine(entry.path() / "dm" / "name"); !name.empty()) names.push_back(std::move(name));
  }
  return names;
}

}  // namespace volcrypt
