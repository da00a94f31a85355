#include "agent/secret_records.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "agent/libvirt/secret_note.h"
#include "encryptors/format_line.h"
#include "encryptors/reason.h"
#include "encryptors/unique_fd.h"
#include "encryptors/volume_id.h"

namespace volcrypt {
namespace {

// The second line is the boot's id, in every version.
constexpr FormatLine kFormatLine = {.name = "volcrypt-libvirt-secret", .version = 1};
constexpr size_t kMaxRecordBytes = size_t{16} << 10;
constexpr const char* kBootIdPath = "/proc/sys/kernel/random/boot_id";

absl::Status NotWritten(const std::string& path) {
  return MakeError(Reason::kStateNotWritable,
                   absl::StrCat("recording a libvirt secret in ", path, ": ", strerror(errno)), {{"path", path}});
}

absl::Status NotRead(const std::string& path, const std::string& why) {
  return MakeError(Reason::kStateNotWritable, absl::StrCat("the record of a libvirt secret, ", path, ", ", why),
                   {{"path", path}});
}

// Nothing when there is no such file. What is longer than a record is cut, which makes it none.
absl::StatusOr<std::optional<std::string>> ReadText(const std::string& path) {
  const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file.IsValid() && errno == ENOENT) return std::nullopt;
  std::string text(kMaxRecordBytes, '\0');
  const ssize_t size = file.IsValid() ? read(file.Get(), text.data(), text.size()) : -1;
  if (size < 0) return NotRead(path, absl::StrCat("cannot be read: ", strerror(errno)));
  text.resize(static_cast<size_t>(size));
  return text;
}

std::string FormatRecord(const SecretRecords::Record& record, const std::string& boot_id) {
  return absl::StrCat(ToText(kFormatLine), "\n", boot_id, "\n", record.secret.uuid, "\n",
                      record.is_left ? "left" : "attached", "\n",
                      ToText({.note = record.secret.note, .has_value = true}), "\n");
}

std::optional<SecretRecords::Record> ParseRecord(const std::string& text, const std::string& boot_id) {
  const std::vector<std::string> lines = absl::StrSplit(text, '\n');
  if (lines.size() != 6 || lines[0] != ToText(kFormatLine) || lines[1] != boot_id || lines[2].empty()) {
    return std::nullopt;
  }
  std::optional<SecretDescription> description = ParseSecretDescription(lines[4]);
  if (!description || (lines[3] != "left" && lines[3] != "attached")) return std::nullopt;
  SecretRecords::Record record;
  record.secret.uuid = lines[2];
  record.secret.is_lost = true;
  record.secret.note = std::move(description->note);
  record.is_left = lines[3] == "left";
  return record;
}

}  // namespace

// Lasts no longer than the running kernel, so it need not reach the disk.
absl::Status SecretRecords::Write(const Record& record) const {
  if (directory_.empty()) return absl::OkStatus();
  if (mkdir(directory_.c_str(), S_IRWXU) != 0 && errno != EEXIST) return NotWritten(directory_);
  const std::string path = absl::StrCat(directory_, "/", record.secret.volume_id);
  // A volume id cannot begin with a dot, so the name is free.
  const std::string temporary = absl::StrCat(directory_, "/.", record.secret.volume_id);
  std::ofstream file(temporary, std::ios::trunc);
  file << FormatRecord(record, boot_id_);
  file.close();
  if (file.fail() || rename(temporary.c_str(), path.c_str()) != 0) {
    absl::Status failed = NotWritten(path);
    unlink(temporary.c_str());
    return failed;
  }
  return absl::OkStatus();
}

void SecretRecords::Remove(const std::string& volume_id) const {
  if (!directory_.empty() && IsValidVolumeId(volume_id)) unlink(absl::StrCat(directory_, "/", volume_id).c_str());
}

absl::StatusOr<std::optional<SecretRecords::Record>> SecretRecords::Find(const std::string& volume_id) const {
  if (directory_.empty() || !IsValidVolumeId(volume_id)) return std::nullopt;
  const std::string path = absl::StrCat(directory_, "/", volume_id);
  const absl::StatusOr<std::optional<std::string>> text = ReadText(path);
  if (!text.ok()) return text.status();
  if (!text->has_value()) return std::nullopt;
  const std::vector<absl::string_view> lines = absl::StrSplit(**text, '\n');
  if (IsNewer(lines[0], kFormatLine) && lines.size() > 1 && lines[1] == boot_id_) {
    return NotRead(path, absl::StrCat(WrittenByNewer(lines[0], kFormatLine),
                                      ", or remove the record when no guest uses volume ", volume_id));
  }
  std::optional<Record> record = ParseRecord(**text, boot_id_);
  if (record) record->secret.volume_id = volume_id;
  return record;
}

absl::StatusOr<std::vector<std::string>> SecretRecords::VolumeIds() const {
  std::vector<std::string> ids;
  std::error_code error;
  if (directory_.empty()) return ids;
  for (std::filesystem::directory_iterator entry(directory_, error), end; !error && entry != end;
       entry.increment(error)) {
    std::string name = entry->path().filename();
    if (IsValidVolumeId(name)) ids.push_back(std::move(name));
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    return NotRead(directory_, absl::StrCat("cannot be read: ", error.message()));
  }
  std::ranges::sort(ids);
  return ids;
}

absl::StatusOr<std::vector<SecretRecords::Record>> SecretRecords::List() const {
  const absl::StatusOr<std::vector<std::string>> ids = VolumeIds();
  if (!ids.ok()) return ids.status();
  std::vector<Record> records;
  for (const std::string& volume_id : *ids) {
    absl::StatusOr<std::optional<Record>> record = Find(volume_id);
    if (!record.ok()) return record.status();
    if (record->has_value()) records.push_back(**std::move(record));
  }
  return records;
}

void SecretRecords::RemoveThoseOfOtherBoots() const {
  const absl::StatusOr<std::vector<std::string>> ids = VolumeIds();
  if (boot_id_.empty() || !ids.ok()) return;
  for (const std::string& volume_id : *ids) {
    const absl::StatusOr<std::optional<std::string>> text = ReadText(absl::StrCat(directory_, "/", volume_id));
    if (!text.ok() || !text->has_value()) continue;
    const std::vector<absl::string_view> lines = absl::StrSplit(**text, '\n');
    const bool is_ours = lines.size() > 1 && absl::StartsWith(lines[0], kFormatLine.name) && !lines[1].empty();
    if (is_ours && lines[1] != boot_id_) Remove(volume_id);
  }
}

std::string BootId() {
  std::ifstream file(kBootIdPath);
  std::string id;
  std::getline(file, id);
  // The unit hides the file (ProcSubset=pid), and says it without dashes.
  const char* const said = std::getenv("VOLCRYPT_BOOT_ID");
  if (id.empty() && said != nullptr) id = said;
  std::erase(id, '-');
  return id;
}

}  // namespace volcrypt
