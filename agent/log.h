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

// Writes one line per event to a file descriptor, usually standard error. When that is the journal, the line begins
// with the priority that the journal reads (sd-daemon(3)), else with the time and the level. Thread-safe.
class Log {
 public:
  explicit Log(LogLevel level, int fd = 2);

  void SetLevel(LogLevel level) { level_.store(level, std::memory_order_relaxed); }
  bool Takes(LogLevel level) const { return level >= level_.load(std::memory_order_relaxed); }
  void Write(LogLevel level, std::string_view message, const LogFields& fields = {}) const;

 private:
  std::atomic<LogLevel> level_;
  const int fd_;
  const bool to_journal_;
};

}  // namespace volcrypt
