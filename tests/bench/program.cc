#include "bench/program.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/samples.h"
#include "encryptors/unique_fd.h"

namespace volcrypt::bench {

void RunProgram(const std::vector<std::string>& command, const std::string& input) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) Fail("pipe");
  UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, reader.Get(), STDIN_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  pid_t child = 0;
  if (posix_spawnp(&child, arguments[0], &actions, nullptr, arguments.data(), environ) != 0) Fail("no " + command[0]);
  posix_spawn_file_actions_destroy(&actions);
  if (write(writer.Get(), input.data(), input.size()) != static_cast<ssize_t>(input.size())) Fail("write");
  writer.Reset();
  int status = 0;
  if (waitpid(child, &status, 0) != child || status != 0) Fail(command[0] + " " + command[1] + " failed");
}

}  // namespace volcrypt::bench
