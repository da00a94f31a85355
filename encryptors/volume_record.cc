#include "encryptors/volume_record.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "encryptors/format_line.h"
#include "encryptors/reason.h"
#include "encryptors/unique_fd.h"
#include "encryptors/volume_id.h"

namespace volcrypt {
namespace {

constexpr FormatLine kFormatLine = {.name = "volcrypt-record", .version = 1};
constexpr absl::string_view kLuks1 = "luks1";
constexpr absl::string_view kLuks2 = "luks2";
constexpr size_t kMaxRecordBytes = 4096;
constexpr absl::string_view kTimeFormat = "%Y-%m-%dT%H:%M:%SZ";

absl::Status NotWritable(const std::string& what, const std::string& path) {
  return MakeError(Reason::kStateNotWritable,
                   absl::StrCat(what, " ", path, ": ", strerror(errno), "; without records no volume is formatted"),
                   {{"path", path}});
}

absl::Status BadLine(absl::string_view line) {
  return absl::InvalidArgumentError(absl::StrCat("not understood: \"", line.substr(0, 80), "\""));
}

absl::Status SetField(absl::string_view name, absl::string_view value, VolumeRecord& record) {
  std::string error;
  if (name == "volume_id" && IsValidVolumeId(std::string(value))) {
    record.volume_id = std::string(value);
  } else if (name == "luks_uuid" && value.size() == 36) {
    record.luks_uuid = std::string(value);
  } else if (name == "format" && (value == kLuks1 || value == kLuks2)) {
    record.format = value == kLuks1 ? Format::kLuks1 : Format::kLuks2;
  } else if (name == "cipher") {
    record.cipher = std::string(value);
  } else if ((name == "key_size_bits" && absl::SimpleAtoi(value, &record.key_size_bits)) ||
             (name == "sector_size_bytes" && absl::SimpleAtoi(value, &record.sector_size_bytes))) {
    return absl::OkStatus();
  } else if (name == "device") {
    record.device = std::string(value);
  } else if (name == "key_manager") {
    record.key.key_manager = std::string(value);
  } else if (name == "key_id") {
    record.key.key_id = std::string(value);
  } else if (uint64_t number = 0; name == "data_offset_bytes" && absl::SimpleAtoi(value, &number)) {
    record.data_offset_bytes = number;
  } else if (absl::Time time; name == "formatted_at" && absl::ParseTime(kTimeFormat, value, &time, &error)) {
    record.formatted_at = time;
  } else {
    return absl::InvalidArgumentError("");
  }
  return absl::OkStatus();
}

absl::Status SyncDirectory(const std::string& path) {
  const UniqueFd directory(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory.IsValid() || fsync(directory.Get()) != 0) return NotWritable("syncing", path);
  return absl::OkStatus();
}

absl::Status WriteDurably(const std::string& directory, const std::string& name, const std::string& text) {
  if (mkdir(directory.c_str(), 0700) == 0) {
    if (absl::Status synced = SyncDirectory(directory.substr(0, directory.rfind('/'))); !synced.ok()) return synced;
  } else if (errno != EEXIST) {
    return NotWritable("creating", directory);
  }
  const std::string path = absl::StrCat(directory, "/", name);
  // A volume id cannot begin with a dot, so the name is free; the volume's lock keeps it to one writer.
  const std::string temporary = absl::StrCat(directory, "/.", name);
  UniqueFd file(open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file.IsValid()) return NotWritable("creating", temporary);
  const ssize_t written = write(file.Get(), text.data(), text.size());
  if (written >= 0 && static_cast<size_t>(written) != text.size()) errno = ENOSPC;
  if (written != static_cast<ssize_t>(text.size()) || fsync(file.Get()) != 0 ||
      rename(temporary.c_str(), path.c_str()) != 0) {
    absl::Status status = NotWritable("writing", temporary);
    unlink(temporary.c_str());
    return status;
  }
  return SyncDirectory(directory);
}

}  // namespace

std::string ToText(const VolumeRecord& record) {
  std::string text =
      absl::StrCat(ToText(kFormatLine), "\nvolume_id ", record.volume_id, "\nluks_uuid ", record.luks_uuid, "\n");
  if (record.format != Format::kUnspecified) {
    absl::StrAppend(&text, "format ", record.format == Format::kLuks1 ? kLuks1 : kLuks2, "\n");
  }
  if (!record.cipher.empty()) {
    absl::StrAppend(&text, "cipher ", record.cipher, "\nkey_size_bits ", record.key_size_bits, "\nsector_size_bytes ",
                    record.sector_size_bytes, "\n");
  }
  if (!record.device.empty()) absl::StrAppend(&text, "device ", record.device, "\n");
  if (!record.key.key_manager.empty()) absl::StrAppend(&text, "key_manager ", record.key.key_manager, "\n");
  if (!record.key.key_id.empty()) absl::StrAppend(&text, "key_id ", record.key.key_id, "\n");
  if (record.formatted_at) {
    absl::StrAppend(&text, "formatted_at ", absl::FormatTime(kTimeFormat, *record.formatted_at, absl::UTCTimeZone()),
                    "\n");
  }
  if (record.data_offset_bytes) absl::StrAppend(&text, "data_offset_bytes ", *record.data_offset_bytes, "\n");
  return text;
}

absl::StatusOr<VolumeRecord> ParseVolumeRecord(absl::string_view text) {
  if (text.size() > kMaxRecordBytes || text.empty() || text.back() != '\n') {
    return absl::InvalidArgumentError("it is cut or too long");
  }
  text.remove_suffix(1);
  const std::vector<absl::string_view> lines = absl::StrSplit(text, '\n');
  if (IsNewer(lines[0], kFormatLine)) return absl::UnimplementedError(WrittenByNewer(lines[0], kFormatLine));
  if (lines[0] != ToText(kFormatLine)) return BadLine(lines[0]);
  VolumeRecord record;
  for (size_t i = 1; i < lines.size(); ++i) {
    const std::pair<absl::string_view, absl::string_view> field = absl::StrSplit(lines[i], absl::MaxSplits(' ', 1));
    if (!SetField(field.first, field.second, record).ok()) return BadLine(lines[i]);
  }
  if (record.volume_id.empty() || record.luks_uuid.empty()) return absl::InvalidArgumentError("it names no volume");
  return record;
}

std::string VolumeRecords::PathOf(Kind kind, const std::string& volume_id) const {
  return absl::StrCat(state_dir_, kind == Kind::kKnown ? "/known/" : "/intents/", volume_id);
}

absl::StatusOr<std::optional<VolumeRecord>> VolumeRecords::Read(Kind kind, const std::string& volume_id) const {
  const std::string path = PathOf(kind, volume_id);
  const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file.IsValid()) {
    if (errno == ENOENT) return std::nullopt;
    return NotWritable("reading", path);
  }
  std::array<char, kMaxRecordBytes + 1> buffer;
  const ssize_t size = read(file.Get(), buffer.data(), buffer.size());
  if (size < 0) return NotWritable("reading", path);
  absl::StatusOr<VolumeRecord> record = ParseVolumeRecord({buffer.data(), static_cast<size_t>(size)});
  if (absl::IsUnimplemented(record.status())) {
    return MakeError(Reason::kStateNotWritable, absl::StrCat("record ", path, " ", record.status().message()),
                     {{"path", path}});
  }
  if (!record.ok() || record->volume_id != volume_id) {
    return MakeError(Reason::kStateNotWritable,
                     absl::StrCat("record ", path, " is damaged (", record.status().message(),
                                  "); repair or remove it when you know the volume's state"),
                     {{"path", path}});
  }
  return *std::move(record);
}

absl::Status VolumeRecords::Write(Kind kind, const VolumeRecord& record) const {
  const std::string directory = PathOf(kind, "");
  return WriteDurably(directory.substr(0, directory.size() - 1), record.volume_id, ToText(record));
}

absl::Status VolumeRecords::Remove(Kind kind, const std::string& volume_id) const {
  const std::string path = PathOf(kind, volume_id);
  if (unlink(path.c_str()) != 0) {
    if (errno == ENOENT) return absl::OkStatus();
    return NotWritable("removing", path);
  }
  return SyncDirectory(path.substr(0, path.rfind('/')));
}

}  // namespace volcrypt
