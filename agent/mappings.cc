#include "agent/mappings.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "encryptors/unique_fd.h"
#include "encryptors/volume_id.h"

namespace volcrypt {
namespace {

constexpr size_t kMaxMappings = 4096;
constexpr size_t kMaxSlaves = 64;
constexpr size_t kMaxFileBytes = 4096;  // sysfs gives one page at most
constexpr uint64_t kSectorBytes = 512;
constexpr size_t kUuidDigits = 32;
constexpr char kDeleted[] = " (deleted)";

using Directory = std::unique_ptr<DIR, int (*)(DIR*)>;

UniqueFd OpenDirectory(int at, const std::string& path) {
  return UniqueFd(openat(at, path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

// Without the newline that sysfs adds. Nothing when the file is gone, or larger than sysfs makes them.
std::optional<std::string> ReadAttribute(int at, const std::string& path) {
  const UniqueFd fd(openat(at, path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.IsValid()) return std::nullopt;
  std::array<char, kMaxFileBytes + 1> buffer{};
  size_t size = 0;
  while (size < buffer.size()) {
    const ssize_t count = read(fd.Get(), buffer.data() + size, buffer.size() - size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return std::nullopt;
    if (count == 0) break;
    size += static_cast<size_t>(count);
  }
  if (size > kMaxFileBytes) return std::nullopt;
  std::string text(buffer.data(), size);
  if (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

// The first names of a directory that begin with `prefix`, in their order; nothing when it is gone.
std::optional<std::vector<std::string>> NamesIn(int at, const std::string& path, const char* prefix, size_t most) {
  UniqueFd fd = OpenDirectory(at, path);
  if (!fd.IsValid()) return std::nullopt;
  const Directory entries(fdopendir(fd.Get()), closedir);
  if (entries == nullptr) return std::nullopt;
  static_cast<void>(fd.Release());  // the stream owns it now
  std::vector<std::string> names;
  while (const dirent* entry = names.size() < most ? readdir(entries.get()) : nullptr) {
    const std::string name = entry->d_name;
    if (name != "." && name != ".." && absl::StartsWith(name, prefix)) names.push_back(name);
  }
  std::ranges::sort(names);
  return names;
}

struct DmUuid {
  Format format = Format::kUnspecified;
  std::string luks_uuid;
};

std::string WithDashes(std::string digits) {
  for (const size_t position : {8U, 13U, 18U, 23U}) digits.insert(position, 1, '-');
  return digits;
}

// CRYPT-LUKS2-<32 digits>-<name>, the same with LUKS1, or CRYPT-PLAIN-<name>, as libcryptsetup writes them; nothing
// for any other.
std::optional<DmUuid> ParseDmUuid(const std::string& uuid, const std::string& name) {
  if (uuid == absl::StrCat("CRYPT-PLAIN-", name)) return DmUuid{.format = Format::kPlain, .luks_uuid = ""};
  absl::string_view rest = uuid;
  DmUuid parsed;
  if (absl::ConsumePrefix(&rest, "CRYPT-LUKS1-")) {
    parsed.format = Format::kLuks1;
  } else if (absl::ConsumePrefix(&rest, "CRYPT-LUKS2-")) {
    parsed.format = Format::kLuks2;
  } else {
    return std::nullopt;
  }
  const std::string digits(rest.substr(0, kUuidDigits));
  const bool are_digits = digits.size() == kUuidDigits && std::ranges::all_of(digits, [](char c) {
                            return absl::ascii_isxdigit(static_cast<unsigned char>(c));
                          });
  if (!are_digits || rest.substr(kUuidDigits) != absl::StrCat("-", name)) return std::nullopt;
  parsed.luks_uuid = WithDashes(digits);
  return parsed;
}

void Break(Mapping& mapping, const std::string& why) {
  mapping.state = MappingState::kBroken;
  mapping.state_reason = why;
}

bool IsLoopDevice(const std::string& name) {
  return absl::StartsWith(name, "loop") && name.size() > 4 &&
         name.find_first_not_of("0123456789", 4) == std::string::npos;
}

// Fills the device, and says what is wrong with it.
void ReadBackingDevice(int dm, const std::vector<std::string>& slaves, Mapping& mapping) {
  if (slaves.size() != 1) {
    Break(mapping, slaves.empty() ? "there is no backing device" : "there is more than one backing device");
    if (slaves.empty()) return;
  }
  const std::string& slave = slaves.front();
  const std::string link = absl::StrCat("slaves/", slave);
  // sysfs writes the slash of a device's name as an exclamation mark (cciss!c0d0).
  mapping.device = absl::StrCat("/dev/", slave);
  std::ranges::replace(mapping.device, '!', '/');
  struct stat status {};
  if (fstatat(dm, link.c_str(), &status, 0) != 0) {
    Break(mapping, absl::StrCat("the backing device ", mapping.device, " is gone"));
    return;
  }
  const std::optional<std::string> file = ReadAttribute(dm, absl::StrCat(link, "/loop/backing_file"));
  if (!file) {
    // The attribute is there for as long as a file is bound.
    if (IsLoopDevice(slave)) Break(mapping, absl::StrCat("the loop device ", mapping.device, " has no file"));
    return;
  }
  // Only a loop device that goes with its last user was made for a volume in a file; of another the caller knows the
  // device, as the worker does when it attaches.
  if (ReadAttribute(dm, absl::StrCat(link, "/loop/autoclear")) != "1") return;
  mapping.device = *file;
  if (!absl::EndsWith(*file, kDeleted)) return;
  mapping.device.resize(mapping.device.size() - (sizeof(kDeleted) - 1));
  Break(mapping, absl::StrCat("the backing file ", mapping.device, " is deleted"));
}

// `dm` is the directory of one mapping, held open: when the mapping goes and another gets its number, reading through
// the old directory fails, so two mappings are never mixed. Nothing unless the mapping is ours and still there.
std::optional<Mapping> ReadMapping(int dm) {
  const std::optional<std::string> name = ReadAttribute(dm, "dm/name");
  const std::optional<std::string> volume_id = name ? VolumeIdOfMapping(*name) : std::nullopt;
  if (!volume_id) return std::nullopt;
  const std::optional<std::string> uuid = ReadAttribute(dm, "dm/uuid");
  const std::optional<DmUuid> parsed = uuid ? ParseDmUuid(*uuid, *name) : std::nullopt;
  const std::optional<std::string> size = ReadAttribute(dm, "size");
  const std::optional<std::string> read_only = ReadAttribute(dm, "ro");
  uint64_t sectors = 0;
  if (!parsed || !size || !read_only || !absl::SimpleAtoi(*size, &sectors)) return std::nullopt;
  Mapping mapping{.volume_id = *volume_id,
                  .device_path = absl::StrCat("/dev/mapper/", *name),
                  .size_bytes = sectors * kSectorBytes,
                  .luks_uuid = parsed->luks_uuid,
                  .encryption = {.format = parsed->format},
                  .read_only = *read_only != "0"};
  const auto slaves = NamesIn(dm, "slaves", "", kMaxSlaves);
  if (!slaves) return std::nullopt;
  ReadBackingDevice(dm, *slaves, mapping);
  // Last: this attribute goes with the mapping, so what was read before it belonged to a mapping that was whole.
  const std::optional<std::string> suspended = ReadAttribute(dm, "dm/suspended");
  if (!suspended) return std::nullopt;
  if (*suspended != "0" && mapping.state == MappingState::kActive) {
    mapping.state = MappingState::kSuspended;
    mapping.state_reason = "the mapping is suspended: reads and writes wait until it is resumed";
  }
  return mapping;
}

}  // namespace

std::vector<Mapping> Mappings::List() const {
  std::vector<Mapping> mappings;
  const UniqueFd block = OpenDirectory(AT_FDCWD, absl::StrCat(sysfs_root_, "/block"));
  if (!block.IsValid()) return mappings;
  for (const std::string& entry : NamesIn(block.Get(), ".", "dm-", kMaxMappings).value_or(std::vector<std::string>())) {
    const UniqueFd dm = OpenDirectory(block.Get(), entry);
    std::optional<Mapping> mapping = dm.IsValid() ? ReadMapping(dm.Get()) : std::nullopt;
    if (mapping) mappings.push_back(*std::move(mapping));
  }
  std::ranges::sort(mappings, {}, &Mapping::volume_id);
  return mappings;
}

std::optional<Mapping> Mappings::Find(const std::string& volume_id) const {
  const std::string name = MappingName(volume_id);
  const UniqueFd block = OpenDirectory(AT_FDCWD, absl::StrCat(sysfs_root_, "/block"));
  if (!block.IsValid()) return std::nullopt;
  for (const std::string& entry : NamesIn(block.Get(), ".", "dm-", kMaxMappings).value_or(std::vector<std::string>())) {
    const UniqueFd dm = OpenDirectory(block.Get(), entry);
    if (dm.IsValid() && ReadAttribute(dm.Get(), "dm/name") == name) return ReadMapping(dm.Get());
  }
  return std::nullopt;
}

}  // namespace volcrypt
