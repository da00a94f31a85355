#include "agent/boot_attacher.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "agent/boot_attempt.h"
#include "encryptors/reason.h"

namespace volcrypt {
namespace {

// Without the key, whose id no key manager has looked at yet.
Attachment WaitingFor(const BootVolume& volume) {
  return Attachment(Mapping{.volume_id = volume.call.volume_id,
                            .state = MappingState::kWaiting,
                            .state_reason = "is being attached",
                            .device = volume.call.device,
                            .encryption = volume.call.encryption,
                            .read_only = volume.call.read_only});
}

}  // namespace

void BootAttacher::SetVolumes(BootVolumes volumes) {
  const std::lock_guard lock(mutex_);
  const bool are_all = volumes.errors.empty();
  dropped_.remove_if([](const TaskPtr& task) { return task->has_ended; });
  WaitingVolumes waiting = uses_.pending.Waiting();
  std::set<std::string> named;
  for (BootVolume& volume : volumes.volumes) {
    const std::string& volume_id = volume.call.volume_id;
    named.insert(volume_id);
    if (attached_.contains(volume_id)) continue;
    TaskPtr& place = tasks_[volume_id];
    if (place && !place->has_ended && place->volume.call == volume.call) continue;
    StartTask(std::move(volume), place, waiting);
  }
  if (are_all) {
    DropTasksExcept(named, waiting);
    std::erase_if(attached_, [&named](const std::string& volume_id) { return !named.contains(volume_id); });
  }
  uses_.pending.SetWaiting(std::move(waiting));
}

void BootAttacher::StartTask(BootVolume volume, TaskPtr& place, WaitingVolumes& waiting) {
  TaskPtr predecessor = std::exchange(place, std::make_unique<Task>());
  if (predecessor) predecessor->thread.request_stop();
  waiting[volume.call.volume_id] = WaitingFor(volume);
  Task& task = *place;
  task.volume = std::move(volume);
  task.thread = std::jthread([this, &task, predecessor = std::move(predecessor)](const std::stop_token& stop) mutable {
    predecessor.reset();  // waits for its attempt
    Run(stop, task);
    const std::lock_guard ending(mutex_);
    task.has_ended = true;
  });
}

void BootAttacher::DropTasksExcept(const std::set<std::string>& named, WaitingVolumes& waiting) {
  for (auto task = tasks_.begin(); task != tasks_.end();) {
    if (named.contains(task->first)) {
      ++task;
      continue;
    }
    task->second->thread.request_stop();
    waiting.erase(task->first);
    dropped_.push_back(std::move(task->second));
    task = tasks_.erase(task);
  }
}

void BootAttacher::Begin() {
  const std::lock_guard lock(mutex_);
  has_begun_ = true;
  changed_.notify_all();
}

void BootAttacher::RequestStop() {
  const std::lock_guard lock(mutex_);
  for (auto& [volume_id, task] : tasks_) task->thread.request_stop();
}

void BootAttacher::Stop() {
  RequestStop();
  std::map<std::string, TaskPtr> tasks;
  std::list<TaskPtr> dropped;
  {
    const std::lock_guard lock(mutex_);
    tasks = std::exchange(tasks_, {});
    dropped = std::exchange(dropped_, {});
  }
  tasks.clear();  // joins
  dropped.clear();
}

void BootAttacher::Run(const std::stop_token& stop, Task& task) {
  {
    std::unique_lock lock(mutex_);
    if (!changed_.wait(lock, stop, [this] { return has_begun_; })) return;
  }
  const std::string& volume_id = task.volume.call.volume_id;
  BootAttempt attempt(uses_.attacher, uses_.log, uses_.observer, uses_.audit);
  absl::Status outcome;
  for (absl::Duration pause = options_.first_pause; !stop.stop_requested();
       pause = std::min(2 * pause, options_.longest_pause)) {
    outcome = attempt.Run(task.volume, outcome, absl::Now() + options_.attempt_timeout);
    Tell(stop, volume_id, outcome);
    if (outcome.ok()) return;
    Wait(stop, pause);
  }
}

void BootAttacher::Wait(const std::stop_token& stop, absl::Duration pause) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, stop, absl::ToChronoNanoseconds(pause), [] { return false; });
}

void BootAttacher::Tell(const std::stop_token& stop, const std::string& volume_id, const absl::Status& outcome) {
  const std::lock_guard lock(mutex_);
  if (outcome.ok()) attached_.insert(volume_id);
  if (stop.stop_requested()) return;
  if (outcome.ok()) {
    uses_.pending.WaitsNoMore(volume_id);
    return;
  }
  const std::string_view reason = ReasonName(ReasonOf(outcome).value_or(Reason::kWorkerFailed));
  uses_.pending.StillWaits(volume_id, absl::StrCat(std::string(reason), ": ", std::string(outcome.message())));
}

}  // namespace volcrypt
