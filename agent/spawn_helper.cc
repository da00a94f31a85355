#include "agent/spawn_helper.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "encryptors/unique_fd.h"

namespace volcrypt {
namespace {

// In the helper, where only standard input, output and error are open besides.
constexpr int kListeningFd = 3;
constexpr int kLifelineFd = 4;
constexpr int kErrorFd = 5;  // until the exec

absl::Status ErrnoError(const std::string& what, int error) {
  return absl::FailedPreconditionError(absl::StrCat(what, ": ", strerror(error)));
}

absl::StatusOr<std::string> MakePrivateDirectory(const std::string& parent) {
  std::string path = absl::StrCat(parent, "/volcryptd-XXXXXX");
  if (mkdtemp(path.data()) == nullptr)
    return ErrnoError(absl::StrCat(parent, ": cannot make a directory in it"), errno);
  return path;
}

absl::StatusOr<UniqueFd> BindSocket(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return absl::FailedPreconditionError(absl::StrCat(path, ": too long for a socket's path; set TMPDIR to a shorter"));
  }
  path.copy(address.sun_path, path.size());
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.IsValid()) return ErrnoError("socket", errno);
  // Nobody but the owner gets past the directory; the mode says so once more.
  if (fchmod(fd.Get(), S_IRUSR | S_IWUSR) != 0) return ErrnoError(path, errno);
  if (bind(fd.Get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return ErrnoError(path, errno);
  if (listen(fd.Get(), SOMAXCONN) != 0) return ErrnoError(path, errno);
  return fd;
}

std::vector<std::string> ArgumentsOf(const SpawnOptions& options) {
  std::vector<std::string> arguments = {options.program, "--fd", absl::StrCat(kListeningFd), "--peer-uid",
                                        absl::StrCat(options.peer.uid)};
  if (options.state_dir) arguments.insert(arguments.end(), {"--state", *options.state_dir});
  if (options.lock_dir) arguments.insert(arguments.end(), {"--lock-dir", *options.lock_dir});
  for (const std::string& prefix : options.device_prefixes) {
    arguments.insert(arguments.end(), {"--device-prefix", prefix});
  }
  return arguments;
}

void ResetSignals() {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  std::signal(SIGPIPE, SIG_DFL);
}

// The descriptors that the child keeps, by our numbers for them.
struct Inherited {
  int listening = -1;
  int lifeline = -1;
  int error = -1;
};

// They may have any numbers, even each other's; copies above all make room.
bool PlaceDescriptors(const Inherited& inherited) {
  constexpr int kAboveAll = 10;
  const int listening = fcntl(inherited.listening, F_DUPFD_CLOEXEC, kAboveAll);
  const int lifeline = fcntl(inherited.lifeline, F_DUPFD_CLOEXEC, kAboveAll);
  const int error = fcntl(inherited.error, F_DUPFD_CLOEXEC, kAboveAll);
  const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  return dup2(listening, kListeningFd) >= 0 && dup2(lifeline, kLifelineFd) >= 0 &&
         dup3(error, kErrorFd, O_CLOEXEC) >= 0 && dup2(null, STDIN_FILENO) >= 0 &&
         close_range(kErrorFd + 1, ~0U, 0) == 0;
}

// The kernel sends the helper SIGTERM when the other end of the pipe closes, which is when the agent ends, however it
// ends. PR_SET_PDEATHSIG would not do: it asks whether the dying parent may signal the child, and an agent that has
// given up root may not. Here the right is that of the process which asks, and the helper is root.
bool EndWithAgent() {
  if (fcntl(kLifelineFd, F_SETOWN, getpid()) != 0 || fcntl(kLifelineFd, F_SETSIG, SIGTERM) != 0) return false;
  if (fcntl(kLifelineFd, F_SETFL, O_NONBLOCK | O_ASYNC) != 0) return false;
  // Had the agent ended before this, the signal would never come.
  pollfd lifeline = {.fd = kLifelineFd, .events = POLLIN, .revents = 0};
  return poll(&lifeline, 1, 0) == 0;
}

// In the child. Its own session: Ctrl-C on our terminal is not for workers that write.
[[noreturn]] void Exec(std::vector<char*>& arguments, const Inherited& inherited) {
  int error_fd = inherited.error;
  setsid();
  ResetSignals();
  if (PlaceDescriptors(inherited)) {
    error_fd = kErrorFd;
    if (EndWithAgent()) execv(arguments[0], arguments.data());
  }
  const int error = errno;
  [[maybe_unused]] const ssize_t written = write(error_fd, &error, sizeof error);
  _exit(127);
}

struct Pipe {
  UniqueFd read_end;
  UniqueFd write_end;
};

absl::StatusOr<Pipe> NewPipe() {
  std::array<int, 2> fds{};
  if (pipe2(fds.data(), O_CLOEXEC) != 0) return ErrnoError("pipe", errno);
  return Pipe{.read_end = UniqueFd(fds[0]), .write_end = UniqueFd(fds[1])};
}

absl::StatusOr<pid_t> Execute(const std::vector<std::string>& arguments, int listening_fd, int lifeline_fd) {
  std::vector<char*> pointers;
  pointers.reserve(arguments.size() + 1);
  for (const std::string& argument : arguments) pointers.push_back(const_cast<char*>(argument.c_str()));
  pointers.push_back(nullptr);

  absl::StatusOr<Pipe> errors = NewPipe();
  if (!errors.ok()) return errors.status();
  const pid_t pid = fork();
  if (pid < 0) return ErrnoError("fork", errno);
  if (pid == 0) {
    Exec(pointers, {.listening = listening_fd, .lifeline = lifeline_fd, .error = errors->write_end.Get()});
  }
  // Closed by a successful exec, else it carries the error.
  errors->write_end.Reset();
  int error = 0;
  if (read(errors->read_end.Get(), &error, sizeof error) == 0) return pid;
  waitpid(pid, nullptr, 0);
  return ErrnoError(absl::StrCat("cannot start ", arguments[0]), error);
}

void RemoveSocket(const std::string& path) {
  unlink(path.c_str());
  rmdir(std::filesystem::path(path).parent_path().c_str());
}

}  // namespace

absl::StatusOr<std::string> FindHelperProgram() {
  std::error_code error;
  const std::filesystem::path beside = std::filesystem::read_symlink("/proc/self/exe", error).parent_path();
  const std::array<std::filesystem::path, 3> candidates = {
      beside / "volcrypt-helper", beside.parent_path() / "encryptors" / "volcrypt-helper",
      std::filesystem::path(VOLCRYPT_LIBEXECDIR) / "volcrypt-helper"};
  for (const std::filesystem::path& candidate : candidates) {
    if (access(candidate.c_str(), X_OK) == 0) return candidate.string();
  }
  return absl::NotFoundError(absl::StrCat("volcrypt-helper is not at ", candidates[0].string(), ", ",
                                          candidates[1].string(), " or ", candidates[2].string()));
}

absl::StatusOr<SpawnedHelper> SpawnedHelper::Start(const SpawnOptions& options) {
  std::string socket_path;
  absl::StatusOr<UniqueFd> listening = absl::UnknownError("not bound");
  {
    const ActAs peer(options.peer);
    if (!peer.status().ok()) return peer.status();
    const absl::StatusOr<std::string> directory = MakePrivateDirectory(options.parent_directory);
    if (!directory.ok()) return directory.status();
    socket_path = absl::StrCat(*directory, "/helper.sock");
    listening = BindSocket(socket_path);
  }
  absl::Cleanup remove = [&socket_path] { RemoveSocket(socket_path); };
  if (!listening.ok()) return listening.status();
  absl::StatusOr<Pipe> lifeline = NewPipe();
  if (!lifeline.ok()) return lifeline.status();
  const absl::StatusOr<pid_t> pid = Execute(ArgumentsOf(options), listening->Get(), lifeline->read_end.Get());
  if (!pid.ok()) return pid.status();
  std::move(remove).Cancel();
  return SpawnedHelper(*pid, std::move(socket_path), std::move(lifeline->write_end));
}

SpawnedHelper::SpawnedHelper(SpawnedHelper&& other) noexcept
    : pid_(other.pid_), socket_path_(std::exchange(other.socket_path_, {})), lifeline_(std::move(other.lifeline_)) {}

SpawnedHelper::~SpawnedHelper() {
  if (!socket_path_.empty()) RemoveSocket(socket_path_);
}

}  // namespace volcrypt
