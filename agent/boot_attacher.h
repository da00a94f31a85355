#pragma once

#include <condition_variable>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <stop_token>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "agent/attacher.h"
#include "agent/audit.h"
#include "agent/boot_volumes.h"
#include "agent/log.h"
#include "agent/metrics/observer.h"
#include "agent/pending_volumes.h"

namespace volcrypt {

// Attaches the volumes of volumes.d, each on a thread of its own, so that a device or key manager that hangs holds up
// no other. What fails is tried again, with growing pauses, until it succeeds; until then the volume is among those
// that wait. A volume that was attached once is left to whoever detaches it, for as long as it is named.
class BootAttacher {
 public:
  struct Options {
    absl::Duration attempt_timeout;  // of one attempt
    absl::Duration first_pause = absl::Seconds(1);
    absl::Duration longest_pause = absl::Minutes(1);
  };
  // All outlive this.
  struct Uses {
    Attacher& attacher;
    PendingVolumes& pending;
    const Log& log;
    Observer& observer;
    Audit& audit;
  };

  BootAttacher(const Uses& uses, Options options) : uses_(uses), options_(options) {}
  ~BootAttacher() { Stop(); }
  BootAttacher(const BootAttacher&) = delete;
  BootAttacher& operator=(const BootAttacher&) = delete;

  // These volumes wait from now on, and none of those before, unless there were errors: then one of those may be meant.
  // One that is described as before goes on as it was. Waits for nothing.
  void SetVolumes(BootVolumes volumes);
  // Before that nothing is tried.
  void Begin();
  // No further attempt begins. Those who wait still do, as far as anybody can see.
  void RequestStop();
  // The same, and waits for the attempts that run, which takes as long as one may take.
  void Stop();

 private:
  struct Task {
    BootVolume volume;
    bool has_ended = false;  // under mutex_
    std::jthread thread;     // the last: it is joined before the rest goes
  };
  using TaskPtr = std::unique_ptr<Task>;

  // Both under mutex_.
  void StartTask(BootVolume volume, TaskPtr& place, WaitingVolumes& waiting);
  void DropTasksExcept(const std::set<std::string>& named, WaitingVolumes& waiting);
  void Run(const std::stop_token& stop, Task& task);
  void Wait(const std::stop_token& stop, absl::Duration pause);
  // Nothing is said of a volume that nobody waits for any more.
  void Tell(const std::stop_token& stop, const std::string& volume_id, const absl::Status& outcome);

  const Uses uses_;
  const Options options_;
  std::mutex mutex_;  // what is said of volumes, and who says it
  std::condition_variable_any changed_;
  bool has_begun_ = false;
  std::set<std::string> attached_;        // volume ids
  std::map<std::string, TaskPtr> tasks_;  // by volume id
  std::list<TaskPtr> dropped_;            // of volumes that are not named any more, until they have ended
};

}  // namespace volcrypt
