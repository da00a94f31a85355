#include "tests/unit/keys/local/actor_process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>

namespace volcrypt {

ActorProcess::ActorProcess(std::vector<std::string> arguments) {
  const std::string program = std::filesystem::read_symlink("/proc/self/exe").parent_path() / "unit_keys_actor";
  std::array<int, 2> in{};
  std::array<int, 2> out{};
  if (pipe2(in.data(), O_CLOEXEC) != 0 || pipe2(out.data(), O_CLOEXEC) != 0) std::abort();
  const UniqueFd child_in(in[0]);
  const UniqueFd child_out(out[1]);
  input_.Reset(in[1]);
  output_.Reset(out[0]);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, child_in.Get(), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, child_out.Get(), STDOUT_FILENO);
  arguments.insert(arguments.begin(), program);
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  if (posix_spawn(&pid_, program.c_str(), &actions, nullptr, argv.data(), environ) != 0) std::abort();
  posix_spawn_file_actions_destroy(&actions);
}

ActorProcess::~ActorProcess() {
  if (pid_ < 0) return;
  Kill();
  Wait();
}

std::optional<std::string> ActorProcess::ReadLine() {
  while (true) {
    const size_t end = read_.find('\n');
    if (end != std::string::npos) {
      std::string line = read_.substr(0, end);
      read_.erase(0, end + 1);
      return line;
    }
    std::array<char, 4096> buffer{};
    const ssize_t got = read(output_.Get(), buffer.data(), buffer.size());
    if (got <= 0) return std::nullopt;
    read_.append(buffer.data(), static_cast<size_t>(got));
  }
}

void ActorProcess::Go() { input_.Reset(); }

void ActorProcess::Kill() { kill(pid_, SIGKILL); }

int ActorProcess::Wait() {
  int status = 0;
  if (waitpid(pid_, &status, 0) != pid_) std::abort();
  pid_ = -1;
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace volcrypt
