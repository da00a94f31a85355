#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/privileges.h"
#include "encryptors/unique_fd.h"

namespace volcrypt {

struct SpawnOptions {
  std::string program;           // volcrypt-helper
  std::string parent_directory;  // the socket's private directory is made in it; the peer can write there
  Account peer;                  // who may connect
  std::optional<std::string> state_dir;
  std::optional<std::string> lock_dir;
  std::vector<std::string> device_prefixes;
};

// volcrypt-helper beside the running program, in the build tree's folder for it, or where it is installed; kNotFound
// says where it was looked for.
absl::StatusOr<std::string> FindHelperProgram();

// A helper that we started and that ends with us. It goes on for as long as its workers need: they must not be ended
// in the middle of a write.
class SpawnedHelper {
 public:
  // Starts it, listening in a directory that only the peer can enter. For root, before there are threads.
  static absl::StatusOr<SpawnedHelper> Start(const SpawnOptions& options);

  SpawnedHelper(SpawnedHelper&& other) noexcept;
  SpawnedHelper& operator=(SpawnedHelper&&) = delete;
  SpawnedHelper(const SpawnedHelper&) = delete;
  SpawnedHelper& operator=(const SpawnedHelper&) = delete;
  // Removes the socket and lets go of the helper, which the kernel then tells to end (SIGTERM), as it does when this
  // process dies: by then we may be a user whose signals root's process does not take.
  ~SpawnedHelper();

  pid_t Pid() const { return pid_; }
  const std::string& SocketPath() const { return socket_path_; }

 private:
  SpawnedHelper(pid_t pid, std::string socket_path, UniqueFd lifeline)
      : pid_(pid), socket_path_(std::move(socket_path)), lifeline_(std::move(lifeline)) {}

  pid_t pid_;
  std::string socket_path_;  // empty: moved from
  UniqueFd lifeline_;        // open in no other process
};

}  // namespace volcrypt
