#include "agent/secret_records.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "agent/libvirt/secret_note.h"
#include "encryptors/reason.h"
#include "encryptors/volume_id.h"

namespace volcrypt {
namespace {

constexpr absl::string_view kFormatLine = "volcrypt-libvirt-secret 1";
constexpr std::streamsize kMaxRecordBytes = std::streamsize{16} << 10;
constexpr size_t kMaxRecords = 4096;
constexpr const char* kBootIdPath = "/proc/sys/kernel/random/boot_id";

absl::Status NotWritten(const std::string& path) {
  return MakeError(Reason::kStateNotWritable,
                   absl::StrCat("recording a libvirt secret in ", path, ": ", strerror(errno)), {{"path", path}});
}

std::string ReadText(const std::string& path) {
  std::ifstream file(path);
  std::string text(kMaxRecordBytes, '\0');
  file.read(text.data(), kMaxRecordBytes);
  text.resize(static_cast<size_t>(file.gcount()));
  return text;
}

std::string FormatRecord(const SecretRecords::Record& record, const std::string& boot_id) {
  return absl::StrCat(kFormatLine, "\n", boot_id, "\n", record.secret.uuid, "\n", record.is_left ? "left" : "attached",
                      "\n", ToText({.note = record.secret.note, .has_value = true}), "\n");
}

std::optional<SecretRecords::Record> ParseRecord(const std::string& text, const std::string& boot_id) {
  const std::vector<std::string> lines = absl::StrSplit(text, '\n');
  if (lines.size() != 6 || lines[0] != kFormatLine || lines[1] != boot_id || lines[2].empty()) {
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

std::optional<SecretRecords::Record> SecretRecords::Find(const std::string& volume_id) const {
  if (directory_.empty() || !IsValidVolumeId(volume_id)) return std::nullopt;
  std::optional<Record> record = ParseRecord(ReadText(absl::StrCat(directory_, "/", volume_id)), boot_id_);
  if (record) record->secret.volume_id = volume_id;
  return record;
}

std::vector<SecretRecords::Record> SecretRecords::List() const {
  std::vector<Record> records;
  std::error_code error;
  if (directory_.empty()) return records;
  for (std::filesystem::directory_iterator entry(directory_, error), end; !error && entry != end;
       entry.increment(error)) {
    if (records.size() == kMaxRecords) break;
    if (std::optional<Record> record = Find(entry->path().filename())) records.push_back(*std::move(record));
  }
  std::ranges::sort(records, {}, [](const Record& record) { return record.secret.volume_id; });
  return records;
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
