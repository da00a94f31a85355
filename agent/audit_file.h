#pragma once

#include <mutex>
#include <string>

#include "absl/status/status.h"
#include "encryptors/unique_fd.h"

namespace volcrypt {

// A file that lines are added to, or none. It may be moved away and opened again (logrotate), and is made anew when it
// was deleted. Thread-safe.
class AuditFile {
 public:
  // Makes it with mode 0600 where there is none; an empty path: none. What is open stays so when this fails, and its
  // path too. INVALID_FIELD.
  absl::Status Open(const std::string& path);
  // The same path once more.
  absl::Status Reopen();
  // Adds a line, whole or in a way that spoils no later one; `durable`: it is on the disk when this returns.
  // STATE_NOT_WRITABLE. OK without a file.
  absl::Status Add(const std::string& line, bool durable);

 private:
  std::mutex mutex_;
  std::string path_;
  UniqueFd file_;
  bool is_torn_ = false;  // ends within a line
};

}  // namespace volcrypt
