#include "encryptors/helper.h"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <exception>
#include <utility>

#include "absl/strings/str_cat.h"
#include "encryptors/descriptor_passing.h"
#include "encryptors/frame.h"
#include "encryptors/reason.h"

namespace volcrypt {
namespace {

// A new connection has an empty buffer, so a short answer is written at once: the time is for a machine that stands
// still.
constexpr absl::Duration kRefusalTimeout = absl::Seconds(1);
constexpr absl::Duration kAcceptPause = absl::Milliseconds(100);
// A spare that dies by itself has met something that the next one would meet too.
constexpr absl::Duration kPauseAfterDeadSpare = absl::Seconds(10);

bool IsAllowedPeer(int connection, uid_t allowed) {
  ucred peer = {};
  socklen_t size = sizeof(peer);
  if (getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
  return peer.uid == allowed || peer.uid == 0;
}

void Refuse(int connection, const absl::Status& error) {
  WriteErrorReply(connection, error, absl::Now() + kRefusalTimeout).IgnoreError();
}

void SetSignal(int number, void (*handler)(int)) {
  struct sigaction action = {};
  action.sa_handler = handler;
  sigaction(number, &action, nullptr);
}

// Nothing polite ends a worker: Ctrl-C reaches the whole process group, and a half-written header is worse than a
// process that stays a moment longer.
void SetWorkerSignals() {
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGPIPE, SIGUSR1}) SetSignal(number, SIG_IGN);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

}  // namespace

Helper::Helper(HelperOptions options, ListeningSocket listener)
    : options_(std::move(options)), listener_(std::move(listener)) {}

absl::Status Helper::Run() {
  if (absl::Status status = CatchSignals(); !status.ok()) return status;
  StartSpares();
  while (!leaving_ && (!stopping_ || !waiting_.empty() || !abandoned_.empty())) WaitForEvents();
  return absl::OkStatus();
}

absl::Status Helper::CatchSignals() {
  sigset_t caught;
  sigemptyset(&caught);
  for (const int number : {SIGCHLD, SIGTERM, SIGINT, SIGUSR1}) sigaddset(&caught, number);
  // An inherited SIG_IGN would let the kernel reap the workers unseen.
  SetSignal(SIGCHLD, SIG_DFL);
  SetSignal(SIGPIPE, SIG_IGN);
  if (sigprocmask(SIG_BLOCK, &caught, nullptr) != 0) {
    return absl::InternalError(absl::StrCat("sigprocmask: ", strerror(errno)));
  }
  signals_.Reset(signalfd(-1, &caught, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals_.IsValid()) return absl::InternalError(absl::StrCat("signalfd: ", strerror(errno)));
  return absl::OkStatus();
}

void Helper::WaitForEvents() {
  const absl::Duration pause = accept_again_ - absl::Now();
  const bool paused = pause > absl::ZeroDuration();
  std::vector<pollfd> watched = {{.fd = paused ? -1 : listener_.Fd(), .events = POLLIN, .revents = 0},
                                 {.fd = signals_.Get(), .events = POLLIN, .revents = 0}};
  for (const auto& [pid, connection] : waiting_) {
    watched.push_back({.fd = connection.Get(), .events = POLLRDHUP, .revents = 0});
  }
  const bool spares_wanted = spares_.size() < options_.spares && waiting_.empty() && !stopping_;
  absl::Duration patience = paused ? pause : absl::InfiniteDuration();
  if (spares_wanted) {
    patience = std::min(patience, std::max(options_.spare_delay, spares_from_ - absl::Now()));
  }
  const int timeout =
      patience == absl::InfiniteDuration() ? -1 : static_cast<int>(absl::ToInt64Milliseconds(patience)) + 1;
  const int ready = poll(watched.data(), watched.size(), timeout);
  if (ready == 0 && spares_wanted && absl::Now() >= spares_from_) StartSpares();
  if (ready <= 0) return;

  // Connections last: what ended before a peer connected makes room for it.
  HandleHangUps(watched);
  if (watched[1].revents != 0) HandleSignals();
  if (watched[0].revents != 0 && !stopping_) AcceptOne();
}

void Helper::HandleHangUps(const std::vector<pollfd>& watched) {
  for (const pollfd& event : watched) {
    if ((event.revents & (POLLRDHUP | POLLHUP | POLLERR)) == 0) continue;
    const auto worker = std::find_if(waiting_.begin(), waiting_.end(),
                                     [&](const auto& entry) { return entry.second.Get() == event.fd; });
    if (worker == waiting_.end()) continue;
    abandoned_.push_back(worker->first);
    waiting_.erase(worker);
  }
}

void Helper::HandleSignals() {
  signalfd_siginfo info = {};
  while (read(signals_.Get(), &info, sizeof(info)) == static_cast<ssize_t>(sizeof(info))) {
    if (info.ssi_signo == SIGCHLD) continue;
    stopping_ = true;
    leaving_ = leaving_ || info.ssi_signo == SIGUSR1;
    listener_.Close();
    spares_.clear();
  }
  ReapWorkers();
}

void Helper::ReapWorkers() {
  pid_t pid = 0;
  while ((pid = waitpid(-1, nullptr, WNOHANG)) > 0) {
    if (waiting_.erase(pid) == 0) std::erase(abandoned_, pid);
    if (std::erase_if(spares_, [pid](const Spare& spare) { return spare.pid == pid; }) > 0) {
      spares_from_ = absl::Now() + kPauseAfterDeadSpare;
    }
  }
}

void Helper::AcceptOne() {
  UniqueFd connection(accept4(listener_.Fd(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!connection.IsValid()) {
    // The peer waits in the backlog until descriptors or memory are free again; polling at once would spin.
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      accept_again_ = absl::Now() + kAcceptPause;
    }
    return;
  }
  if (!IsAllowedPeer(connection.Get(), options_.peer_uid)) return;
  if (absl::Status room = CheckRoom(); !room.ok()) {
    Refuse(connection.Get(), room);
    return;
  }
  StartWorker(std::move(connection));
}

absl::Status Helper::CheckRoom() const {
  if (waiting_.size() >= options_.max_waiting) {
    return MakeError(
        Reason::kTooManyOperations,
        absl::StrCat("volcrypt-helper already runs ", waiting_.size(), " operations; repeat the call later"),
        {{"limit", absl::StrCat(options_.max_waiting)}});
  }
  if (abandoned_.size() >= options_.max_abandoned) {
    return MakeError(Reason::kTooManyOperations,
                     absl::StrCat(abandoned_.size(),
                                  " operations whose callers have gone still hang on their devices; look for dead "
                                  "storage targets on this host"),
                     {{"limit", absl::StrCat(options_.max_abandoned)}});
  }
  return absl::OkStatus();
}

void Helper::StartWorker(UniqueFd connection) {
  if (GiveToSpare(connection)) return;
  const pid_t pid = fork();
  if (pid == 0) {
    BecomeWorker();
    RunWorker(connection);
  }
  if (pid < 0) {
    Refuse(connection.Get(), MakeError(errno == ENOMEM ? Reason::kOutOfMemory : Reason::kTooManyOperations,
                                       absl::StrCat("volcrypt-helper cannot start a worker: ", strerror(errno),
                                                    "; repeat the call later")));
    return;
  }
  waiting_.emplace(pid, std::move(connection));
}

// False, with the connection as it was, when there is no spare worker that lives.
bool Helper::GiveToSpare(UniqueFd& connection) {
  while (!spares_.empty()) {
    const Spare spare = std::move(spares_.back());
    spares_.pop_back();
    if (!SendDescriptor(spare.channel.Get(), connection.Get())) continue;
    waiting_.emplace(spare.pid, std::move(connection));
    return true;
  }
  return false;
}

void Helper::StartSpares() {
  while (spares_.size() < options_.spares && StartSpare()) {
  }
}

// Without one, the next connection's worker is forked when it comes.
bool Helper::StartSpare() {
  std::array<int, 2> ends = {-1, -1};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) return false;
  UniqueFd ours(ends[0]);
  const UniqueFd spares(ends[1]);
  const pid_t pid = fork();
  if (pid == 0) {
    ours.Reset();
    BecomeWorker();
    RunSpare(spares);
  }
  if (pid > 0) spares_.push_back({.pid = pid, .channel = std::move(ours)});
  return pid > 0;
}

void Helper::BecomeWorker() {
  SetWorkerSignals();
  listener_.CloseInChild();
  signals_.Reset();
  waiting_.clear();
  spares_.clear();
}

void Helper::RunSpare(const UniqueFd& channel) {
  prctl(PR_SET_NAME, "volcrypt-spare");
  try {
    if (options_.prepare_worker) options_.prepare_worker();
  } catch (const std::exception&) {
    _exit(1);
  }
  const UniqueFd connection = ReceiveDescriptor(channel.Get());
  if (!connection.IsValid()) _exit(0);
  RunWorker(connection);
}

void Helper::RunWorker(const UniqueFd& connection) {
  prctl(PR_SET_NAME, "volcrypt-worker");
  const int socket = connection.Get();
  int exit_status = 0;
  try {
    const std::unique_ptr<Encryptor> encryptor = options_.make_encryptor([socket] { return PeerHasGone(socket); });
    ServeOperation(socket, *encryptor, options_.timeouts);
  } catch (const std::exception&) {
    exit_status = 1;
  }
  // Nothing of the parent's state may be torn down twice, its exit handlers included.
  _exit(exit_status);
}

}  // namespace volcrypt
