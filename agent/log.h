#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace volcrypt {

enum class LogLevel : uint8_t { kDebug, kInfo, kWarning, kError };

// debug, info, warning, error: the words of [log] level.
std::optional<LogLevel> ParseLogLevel(std::string_view word);

// name=value pairs behind the message.
using LogFields = std::vector<std::pair<std::string_view, std::string>>;

// "message name=value ...": values with anything but plain characters are quoted and escaped, so that what a caller
// sends cannot begin a line of its own.
std::string LogLine(std::string_view message, const LogFields& fields);

// The same as the journal takes it, NAME=value each: the line as MESSAGE, PRIORITY, every field as VOLCRYPT_NAME, and
// the MESSAGE_ID of the reason in it (message_id.h).
std::vector<std::string> JournalFields(LogLevel level, std::string_view message, const LogFields& fields);

// Writes one line per event to a file descriptor, usually standard error, with the time and the level. When that is the
// journal, it takes the entry with its fields instead (sd_journal_send(3)); should it not, a line that begins with the
// priority (sd-daemon(3)). Thread-safe.
class Log {
 public:
  // Hands an entry to the journal. False when it did not take it.
  using SendToJournal = bool (*)(const std::vector<std::string>& fields);
  static bool SendToSystemJournal(const std::vector<std::string>& fields);

  explicit Log(LogLevel level, int fd = 2, SendToJournal send = SendToSystemJournal);

  void SetLevel(LogLevel level) { level_.store(level, std::memory_order_relaxed); }
  bool Takes(LogLevel level) const { return level >= level_.load(std::memory_order_relaxed); }
  void Write(LogLevel level, std::string_view message, const LogFields& fields = {}) const;
  // A message that is complete without its fields, at any level: for the journal, as a notice. False when that did not
  // take it. Where the log goes elsewhere nothing is written.
  bool WriteToJournal(std::string_view message, const LogFields& fields) const;

 private:
  bool WriteLine(std::string line) const;

  std::atomic<LogLevel> level_;
  const int fd_;
  const bool to_journal_;
  const SendToJournal send_;
};

}  // namespace volcrypt
