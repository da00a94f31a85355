#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <functional>

namespace volcrypt {

// Runs `body` in a forked child that exits with its result, and gives the wait status.
inline int RunInChild(const std::function<int()>& body) {
  const pid_t pid = fork();
  if (pid == 0) _exit(body());
  int status = -1;
  if (pid < 0 || waitpid(pid, &status, 0) != pid) return -1;
  return status;
}

inline bool ExitedWith(int status, int code) { return WIFEXITED(status) && WEXITSTATUS(status) == code; }

}  // namespace volcrypt
