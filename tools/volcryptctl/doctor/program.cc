#include "tools/volcryptctl/doctor/program.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace volcrypt::ctl {
namespace {

constexpr std::array<const char*, 4> kDirectories = {"/usr/sbin", "/usr/bin", "/sbin", "/bin"};
constexpr const char* kPath = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
constexpr const char* kLocale = "LC_ALL=C";
constexpr absl::Duration kLook = absl::Milliseconds(5);
constexpr absl::Duration kAfterKill = absl::Seconds(1);

std::string Find(const std::string& name) {
  if (absl::StrContains(name, '/')) return ::access(name.c_str(), X_OK) == 0 ? name : "";
  for (const char* directory : kDirectories) {
    std::string path = absl::StrCat(directory, "/", name);
    if (::access(path.c_str(), X_OK) == 0) return path;
  }
  return "";
}

// Its signals are as nobody had touched them: ours are blocked or ignored.
absl::StatusOr<pid_t> Spawn(const std::string& path, const std::vector<std::string>& command, int output,
                            bool wants_complaints) {
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  ::posix_spawn_file_actions_init(&files);
  ::posix_spawnattr_init(&attributes);
  const absl::Cleanup destroy = [&] {
    ::posix_spawn_file_actions_destroy(&files);
    ::posix_spawnattr_destroy(&attributes);
  };
  ::posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  const int wanted = wants_complaints ? STDERR_FILENO : STDOUT_FILENO;
  ::posix_spawn_file_actions_adddup2(&files, output, wanted);
  ::posix_spawn_file_actions_addopen(&files, STDERR_FILENO + STDOUT_FILENO - wanted, "/dev/null", O_WRONLY, 0);
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setsigdefault(&attributes, &all);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  std::vector<char*> arguments;
  arguments.reserve(command.size() + 1);
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  std::array<char*, 3> environment = {const_cast<char*>(kPath), const_cast<char*>(kLocale), nullptr};
  pid_t pid = 0;
  const int error = ::posix_spawn(&pid, path.c_str(), &files, &attributes, arguments.data(), environment.data());
  if (error != 0) return absl::ErrnoToStatus(error, absl::StrCat("cannot start ", path));
  return pid;
}

// Until its end, the limit or the time.
std::string ReadAll(int fd, size_t most, absl::Time end) {
  std::string text;
  std::array<char, 16384> buffer{};
  while (text.size() < most) {
    pollfd wait = {.fd = fd, .events = POLLIN, .revents = 0};
    const int64_t left = absl::ToInt64Milliseconds(end - absl::Now());
    if (left <= 0) break;
    const int ready = ::poll(&wait, 1, static_cast<int>(std::min<int64_t>(left, 60000)));
    if (ready < 0 && errno != EINTR) break;
    if (ready <= 0) continue;
    const ssize_t count = ::read(fd, buffer.data(), std::min(buffer.size(), most - text.size()));
    if (count <= 0) break;
    text.append(buffer.data(), static_cast<size_t>(count));
  }
  return text;
}

// Its wait status; nothing when it does not end in time.
std::optional<int> WaitFor(pid_t pid, absl::Time end) {
  for (int status = 0;;) {
    const pid_t ended = ::waitpid(pid, &status, WNOHANG);
    if (ended == pid) return status;
    if (ended < 0 && errno != EINTR) return std::nullopt;
    if (absl::Now() >= end) return std::nullopt;
    absl::SleepFor(kLook);
  }
}

}  // namespace

absl::StatusOr<std::string> RunProgram(const std::vector<std::string>& command, const ProgramOptions& options) {
  const std::string& name = command.front();
  const std::string path = Find(name);
  if (path.empty()) return absl::NotFoundError(absl::StrCat(name, " is not installed"));
  std::array<int, 2> pipe = {-1, -1};
  if (::pipe2(pipe.data(), O_CLOEXEC) != 0) return absl::ErrnoToStatus(errno, "pipe");
  const absl::Cleanup close_read = [&] { ::close(pipe[0]); };
  const auto pid = Spawn(path, command, options.output < 0 ? pipe[1] : options.output, options.wants_complaints);
  ::close(pipe[1]);
  if (!pid.ok()) return pid.status();
  const absl::Time end = absl::Now() + options.timeout;
  std::string text = options.output < 0 ? ReadAll(pipe[0], options.most, end) : "";
  // One that has more to say than is wanted would wait for a reader.
  if (text.size() >= options.most) {
    ::kill(*pid, SIGKILL);
    WaitFor(*pid, absl::Now() + kAfterKill);
    return text;
  }
  const std::optional<int> status = WaitFor(*pid, end);
  if (!status) {
    ::kill(*pid, SIGKILL);
    WaitFor(*pid, absl::Now() + kAfterKill);
    return absl::DeadlineExceededError(
        absl::StrCat(name, " did not end within ", absl::FormatDuration(options.timeout)));
  }
  const bool succeeded = WIFEXITED(*status) && WEXITSTATUS(*status) == 0;
  if (options.wants_complaints && succeeded) return "";
  if (!succeeded && !(options.wants_complaints && WIFEXITED(*status) && !text.empty())) {
    return absl::InternalError(absl::StrCat(name, " failed (wait status ", *status, ")"));
  }
  return text;
}

}  // namespace volcrypt::ctl
