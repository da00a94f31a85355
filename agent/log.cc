#include "agent/log.h"

#include <sys/stat.h>
#include <sys/uio.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "agent/message_id.h"

namespace volcrypt {
namespace {

struct LevelRow {
  LogLevel level;
  const char* word;
  const char* journal_prefix;  // "<" priority ">"
};

constexpr std::array<LevelRow, 4> kLevels = {{
    {LogLevel::kDebug, "debug", SD_DEBUG},
    {LogLevel::kInfo, "info", SD_INFO},
    {LogLevel::kWarning, "warning", SD_WARNING},
    {LogLevel::kError, "error", SD_ERR},
}};

const LevelRow& RowOf(LogLevel level) { return kLevels[static_cast<size_t>(level)]; }

// systemd tells a service by device and inode which stream leads to the journal; it is inherited by programs whose
// standard error leads elsewhere.
bool IsJournal(int fd) {
  const char* const stream = std::getenv("JOURNAL_STREAM");
  struct stat status {};
  if (stream == nullptr || fstat(fd, &status) != 0) return false;
  return absl::StrCat(status.st_dev, ":", status.st_ino) == stream;
}

bool IsPlain(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return absl::ascii_isgraph(static_cast<unsigned char>(c)) && c != '"' && c != '\\' && c != '=';
  });
}

// Control characters become \xNN; text beyond ASCII stays as it is.
void AppendEscaped(std::string& line, std::string_view text) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      line += '\\';
      line += c;
    } else if (byte < 0x20 || byte == 0x7F) {
      absl::StrAppend(&line, "\\x", absl::Hex(byte, absl::kZeroPad2));
    } else {
      line += c;
    }
  }
}

std::string JournalName(std::string_view name) {
  std::string upper = "VOLCRYPT_";
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    upper += absl::ascii_isalnum(byte) ? absl::ascii_toupper(byte) : '_';
  }
  return upper;
}

}  // namespace

std::optional<LogLevel> ParseLogLevel(std::string_view word) {
  for (const LevelRow& row : kLevels) {
    if (word == row.word) return row.level;
  }
  return std::nullopt;
}

std::string LogLine(std::string_view message, const LogFields& fields) {
  std::string line;
  for (const char c : message) line += absl::ascii_iscntrl(static_cast<unsigned char>(c)) ? ' ' : c;
  for (const auto& [name, value] : fields) {
    line.append(" ").append(name).append("=");
    if (IsPlain(value)) {
      line += value;
    } else {
      line += '"';
      AppendEscaped(line, value);
      line += '"';
    }
  }
  return line;
}

std::vector<std::string> JournalFields(LogLevel level, std::string_view message, const LogFields& fields) {
  std::vector<std::string> entry = {"MESSAGE=" + LogLine(message, fields),
                                    absl::StrCat("PRIORITY=", std::string(1, RowOf(level).journal_prefix[1]))};
  for (const auto& [name, value] : fields) {
    entry.push_back(absl::StrCat(JournalName(name), "=", value));
    if (name != "reason") continue;
    if (const std::string_view id = MessageIdOf(value); !id.empty()) entry.push_back("MESSAGE_ID=" + std::string(id));
  }
  return entry;
}

bool Log::SendToSystemJournal(const std::vector<std::string>& fields) {
  std::vector<iovec> parts;
  parts.reserve(fields.size());
  // The function takes what it does not change as if it did.
  for (const std::string& field : fields) parts.push_back({const_cast<char*>(field.data()), field.size()});
  return sd_journal_sendv(parts.data(), static_cast<int>(parts.size())) == 0;
}

Log::Log(LogLevel level, int fd, SendToJournal send)
    : level_(level), fd_(fd), to_journal_(IsJournal(fd)), send_(send) {}

void Log::Write(LogLevel level, std::string_view message, const LogFields& fields) const {
  if (!Takes(level)) return;
  if (to_journal_ && send_(JournalFields(level, message, fields))) return;
  const LevelRow& row = RowOf(level);
  std::string line = row.journal_prefix;
  if (!to_journal_) {
    line = absl::StrCat(absl::FormatTime("%Y-%m-%dT%H:%M:%E3S%Ez", absl::Now(), absl::LocalTimeZone()), " ", row.word,
                        " ");
  }
  // There is nowhere to report that it failed.
  WriteLine(line + LogLine(message, fields));
}

bool Log::WriteToJournal(std::string_view message, const LogFields& fields) const {
  if (!to_journal_) return true;
  std::vector<std::string> entry = {"MESSAGE=" + std::string(message),
                                    absl::StrCat("PRIORITY=", std::string(1, SD_NOTICE[1]))};
  for (const auto& [name, value] : fields) entry.push_back(JournalName(name) + "=" + value);
  return send_(entry) || WriteLine(SD_NOTICE + std::string(message));
}

bool Log::WriteLine(std::string line) const {
  line += '\n';
  // One write a line keeps the lines of several threads apart.
  ssize_t written = 0;
  do written = write(fd_, line.data(), line.size());
  while (written < 0 && errno == EINTR);
  return written == static_cast<ssize_t>(line.size());
}

}  // namespace volcrypt
