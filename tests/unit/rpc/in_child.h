#pragma once

#include <sys/wait.h>
#include <unistd.h>

namespace volcrypt {

// What a body returns that changes its process for good, and so has one of its own. The body says what failed by its
// number; -1: it died.
template <typename Body>
int InChild(const Body& body) {
  const pid_t child = fork();
  if (child == 0) _exit(body());
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace volcrypt
