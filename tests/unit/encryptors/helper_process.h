#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "encryptors/helper.h"
#include "encryptors/listening_socket.h"
#include "tests/fakes/fake_encryptor.h"
#include "tests/unit/eventually.h"
#include "tests/unit/temp_directory.h"

namespace volcrypt {

// The real helper loop in a process of its own, with fakes in its workers. What the hooks capture is as it was when the
// process was started: workers answer through their replies and through SharedSemaphore.
class HelperProcess {
 public:
  using Prepare = std::function<void(FakeEncryptor&, const PeerHasGoneFunction&)>;

  // `at_start` runs in the new process, before the loop.
  explicit HelperProcess(
      Prepare prepare, HelperOptions options = {}, const std::function<void()>& at_start = [] {})
      : socket_path_(directory_.Path("socket")) {
    absl::StatusOr<ListeningSocket> listener = ListeningSocket::Create(socket_path_, options.peer_uid);
    if (!listener.ok()) abort();
    Start(std::move(prepare), std::move(options), *std::move(listener), at_start);
  }
  HelperProcess(const HelperProcess&) = delete;
  HelperProcess& operator=(const HelperProcess&) = delete;
  ~HelperProcess() {
    if (pid_ <= 0) return;
    // Workers that a failed test left waiting go too; they are the only other members of the group.
    kill(-pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }

  const std::string& SocketPath() const { return socket_path_; }
  pid_t Pid() const { return pid_; }
  void Signal(int number) const { kill(pid_, number); }

  // Waits for the end after SIGTERM; the wait status, or -1 after half a minute.
  int WaitForEnd() {
    int status = -1;
    if (!Eventually([&] { return waitpid(pid_, &status, WNOHANG) == pid_; })) return -1;
    pid_ = -1;
    return status;
  }
  bool HasEnded() {
    int status = 0;
    if (waitpid(pid_, &status, WNOHANG) != pid_) return false;
    pid_ = -1;
    return true;
  }

  // Ends at once and unseen, as by the OOM killer.
  void Kill() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

  std::vector<pid_t> Workers() const {
    const std::string pid = std::to_string(pid_);
    std::ifstream children("/proc/" + pid + "/task/" + pid + "/children");
    std::vector<pid_t> workers;
    for (pid_t worker = 0; children >> worker;) workers.push_back(worker);
    return workers;
  }

 private:
  void Start(Prepare prepare, HelperOptions options, ListeningSocket listener, const std::function<void()>& at_start) {
    options.make_encryptor = [prepare = std::move(prepare)](const PeerHasGoneFunction& peer_has_gone) {
      auto encryptor = std::make_unique<FakeEncryptor>();
      prepare(*encryptor, peer_has_gone);
      return encryptor;
    };
    pid_ = fork();
    if (pid_ == 0) {
      setpgid(0, 0);
      at_start();
      _exit(Helper(std::move(options), std::move(listener)).Run().ok() ? 0 : 1);
    }
    setpgid(pid_, pid_);
    listener.CloseInChild();
  }

  TempDirectory directory_;
  std::string socket_path_;
  pid_t pid_ = -1;
};

}  // namespace volcrypt
