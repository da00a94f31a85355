#include <pthread.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "tools/volcryptctl/exit_status.h"
#include "tools/volcryptctl/run.h"

namespace {

// The caller's token may pass through this process. A core that is piped to a program has no limit, hence both.
bool ForbidDumps() {
  const rlimit none = {.rlim_cur = 0, .rlim_max = 0};
  return setrlimit(RLIMIT_CORE, &none) == 0 && prctl(PR_SET_DUMPABLE, 0) == 0;
}

// Set while a question waits for its answer: no call is under way that would have to be settled first.
std::atomic<bool> asking = false;

// Those that would end the process. One that is ignored, as nohup has it, stays ignored.
sigset_t EndingSignals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal_number : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction action = {};
    ::sigaction(signal_number, nullptr, &action);
    if (action.sa_handler != SIG_IGN) sigaddset(&set, signal_number);
  }
  return set;
}

// Ends the process by the signal, so that a shell sees what happened.
void DieBy(int signal_number) {
  (void)::signal(signal_number, SIG_DFL);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal_number);
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  ::kill(::getpid(), signal_number);
}

// The first signal cancels the call under way, whose command then cleans up and ends. The second one is final.
void WaitForSignals(sigset_t set, volcrypt::ctl::Interrupt& interrupt, std::atomic<int>& received) {
  for (int signal_number = 0; sigwait(&set, &signal_number) == 0;) {
    if (asking || interrupt.triggered()) DieBy(signal_number);
    received = signal_number;
    interrupt.Trigger();
  }
}

std::optional<std::string> ReadLine() {
  asking = true;
  std::string line;
  const bool read = static_cast<bool>(std::getline(std::cin, line));
  asking = false;
  return read ? std::optional(line) : std::nullopt;
}

}  // namespace

int main(int argc, char** argv) {
  if (!ForbidDumps()) {
    std::cerr << "volcryptctl: core files cannot be turned off\n";
    return static_cast<int>(volcrypt::ctl::ExitStatus::kInternal);
  }
  // gRPC's own log lines would stand between ours; who looks for them sets the variable.
  ::setenv("GRPC_VERBOSITY", "NONE", /*overwrite=*/0);
  (void)::signal(SIGPIPE, SIG_IGN);
  const sigset_t set = EndingSignals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  // Both outlive main: the thread waits for ever.
  static volcrypt::ctl::Interrupt interrupt;
  static std::atomic<int> received = 0;
  std::thread(WaitForSignals, set, std::ref(interrupt), std::ref(received)).detach();

  volcrypt::ctl::Environment environment;
  if (const char* endpoint = std::getenv("VOLCRYPT_ENDPOINT"); endpoint != nullptr && *endpoint != '\0') {
    environment.default_endpoint = endpoint;
  }
  environment.error_is_terminal = ::isatty(STDERR_FILENO) == 1;
  environment.can_ask = environment.error_is_terminal && ::isatty(STDIN_FILENO) == 1;
  environment.read_line = ReadLine;
  environment.interrupt = &interrupt;
  const std::vector<std::string> args(argv + 1, argv + argc);
  const int status = volcrypt::ctl::RunVolcryptctl(args, std::cout, std::cerr, environment);
  if (status != 0 && received != 0) DieBy(received);
  return status;
}
