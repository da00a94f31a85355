#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "agent/expendable_thread.h"

namespace volcrypt {

// A file that lines are added to, or none. It may be moved away and opened again (logrotate), and is made anew when it
// was deleted. A file system that hangs holds up nobody for longer than kPatience. Thread-safe.
class AuditFile {
 public:
  static constexpr absl::Duration kPatience = absl::Seconds(5);

  AuditFile();

  // What Open would say of the path, without the key; makes nothing. INVALID_FIELD.
  static absl::Status Check(const std::string& path);

  // Makes it with mode 0600 where there is none; an empty path: none. What is open stays so when this fails, and its
  // path too. INVALID_FIELD, and STATE_NOT_WRITABLE when the file system does not answer.
  absl::Status Open(const std::string& path);
  // The same path once more.
  absl::Status Reopen();
  // Adds a line, whole or in a way that spoils no later one; `durable`: it is on the disk when this returns.
  // STATE_NOT_WRITABLE: it may still be added when a file system that hung goes on. OK without a file.
  absl::Status Add(const std::string& line, bool durable);

 private:
  struct File;

  std::string Path();
  // What the work on the file comes to. `path` is for the error; an empty one needs no thread.
  absl::Status OnThread(const std::string& path, std::function<absl::Status(File&)> work);

  std::mutex mutex_;
  std::string path_;                        // empty: none
  const std::shared_ptr<File> file_;        // the thread's own
  std::optional<ExpendableThread> thread_;  // once there was a path
};

}  // namespace volcrypt
