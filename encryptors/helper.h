#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "encryptors/encryptor.h"
#include "encryptors/listening_socket.h"
#include "encryptors/unique_fd.h"
#include "encryptors/worker.h"

struct pollfd;

namespace volcrypt {

using PeerHasGoneFunction = std::function<bool()>;

struct HelperOptions {
  uid_t peer_uid = 0;       // who may connect; root always may
  size_t max_waiting = 64;  // workers whose peer waits for the answer
  // Workers whose peer has gone, counted apart: those that hang on a dead storage target must not use up the slots.
  size_t max_abandoned = 1024;
  WorkerTimeouts timeouts;
  // Workers that are kept ready for connections to come.
  size_t spares = 0;
  // How long nothing must have happened before spares are made, so that they take no processor from any worker.
  absl::Duration spare_delay = absl::Milliseconds(10);
  // Called in a spare worker: what every operation begins with and that needs no request. May be empty.
  std::function<void()> prepare_worker;
  // Called in each worker.
  std::function<std::unique_ptr<Encryptor>(PeerHasGoneFunction)> make_encryptor;
};

// The resident half of the privileged side: accepts connections and gives each to a worker, a forked process that
// serves this one and ends. While nothing runs, spare workers are forked in advance: a fork, and all that a process
// does slowly the first time, cost more than opening a volume. A worker that crashes or hangs is nobody else's problem.
// Single-threaded, and the process must be too, because it forks.
class Helper {
 public:
  Helper(HelperOptions options, ListeningSocket listener);

  // Serves until SIGTERM or SIGINT, then waits for the running workers however long they take: one that is killed in
  // the middle of a write leaves half a header. SIGUSR1 ends it at once, without them: they finish and answer by
  // themselves, while a successor serves.
  absl::Status Run();

 private:
  absl::Status CatchSignals();
  void WaitForEvents();
  void HandleHangUps(const std::vector<pollfd>& watched);
  void HandleSignals();
  void ReapWorkers();
  void AcceptOne();
  absl::Status CheckRoom() const;
  void StartWorker(UniqueFd connection);
  bool GiveToSpare(UniqueFd& connection);
  void StartSpares();
  bool StartSpare();
  void BecomeWorker();
  [[noreturn]] void RunSpare(const UniqueFd& channel);
  [[noreturn]] void RunWorker(const UniqueFd& connection);

  const HelperOptions options_;
  ListeningSocket listener_;
  UniqueFd signals_;
  bool stopping_ = false;
  bool leaving_ = false;
  absl::Time accept_again_ = absl::InfinitePast();
  // Both by process id. A connection is kept to see its peer hang up, and closed when the worker ends: thus the peer
  // of a worker that crashed sees the end of the stream.
  std::map<pid_t, UniqueFd> waiting_;
  std::vector<pid_t> abandoned_;

  // A worker that waits for its connection to come through the channel, and ends when the channel does.
  struct Spare {
    pid_t pid = 0;
    UniqueFd channel;
  };
  std::vector<Spare> spares_;
  absl::Time spares_from_ = absl::InfinitePast();  // not before
};

}  // namespace volcrypt
