#include "tests/unit/libvirt/libvirtd_process.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <thread>
#include <vector>

#include "agent/libvirt/libvirt_library.h"

namespace volcrypt {
namespace {

constexpr uid_t kNobody = 65534;  // libvirtd wants a uid that passwd knows, and not root's

[[noreturn]] void Give(const std::string& what) {
  fprintf(stderr, "libvirtd: %s: %s\n", what.c_str(), strerror(errno));
  std::abort();
}

bool Accepts(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) Give("the socket's path is too long");
  path.copy(address.sun_path, path.size());
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool accepts = connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  close(fd);
  return accepts;
}

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

LibvirtdProcess::LibvirtdProcess() {
  if (const absl::Status loaded = LoadLibvirt(); !loaded.ok()) Give(loaded.ToString());
  PrepareDirectory();
  Start();
}

LibvirtdProcess::~LibvirtdProcess() { Kill(); }

void LibvirtdProcess::PrepareDirectory() {
  for (const char* const part : {"", "home", "config", "cache", "data", "run"}) {
    const std::string path = directory_.Path(part);
    std::filesystem::create_directories(path);
    if (geteuid() == 0 && chown(path.c_str(), kNobody, kNobody) != 0) Give("chown");
  }
}

void LibvirtdProcess::Start() {
  const std::string pid_file = directory_.Path("run/libvirtd.pid");
  unlink(pid_file.c_str());
  unlink(Socket().c_str());
  std::vector<std::string> command = {"/usr/bin/setpriv", "--pdeathsig", "KILL"};
  if (geteuid() == 0) {
    const std::string nobody = std::to_string(kNobody);
    command.insert(command.begin() + 1, {"--reuid", nobody, "--regid", nobody, "--clear-groups"});
  }
  for (const std::string& word : {std::string("/usr/sbin/libvirtd"), std::string("--timeout"), std::string("0"),
                                  std::string("--pid-file"), pid_file}) {
    command.push_back(word);
  }
  std::vector<std::string> environment = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin",
                                          "HOME=" + directory_.Path("home"),
                                          "XDG_CONFIG_HOME=" + directory_.Path("config"),
                                          "XDG_CACHE_HOME=" + directory_.Path("cache"),
                                          "XDG_DATA_HOME=" + directory_.Path("data"),
                                          "XDG_RUNTIME_DIR=" + directory_.Path("run"),
                                          "LIBVIRT_LOG_OUTPUTS=2:file:" + directory_.Path("run/libvirtd.log")};
  const std::vector<char*> argv = Pointers(command);
  const std::vector<char*> envp = Pointers(environment);
  pid_ = fork();
  if (pid_ == 0) {
    const int null = open("/dev/null", O_RDWR);
    for (const int fd : {0, 1, 2}) dup2(null, fd);
    execve(argv[0], argv.data(), envp.data());
    _exit(127);
  }
  for (int i = 0; i < 2000; ++i) {
    if (Accepts(Socket())) return;
    if (waitpid(pid_, nullptr, WNOHANG) == pid_) Give("it ended at once");
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  Give("it does not answer");
}

void LibvirtdProcess::Kill() {
  if (pid_ < 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

void LibvirtdProcess::Stop() { kill(pid_, SIGSTOP); }

void LibvirtdProcess::Continue() { kill(pid_, SIGCONT); }

}  // namespace volcrypt
