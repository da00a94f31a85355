#include "agent/expendable_thread.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <list>
#include <mutex>
#include <utility>

namespace volcrypt {
namespace {

using Clock = std::chrono::steady_clock;

// What a thread in the middle of a usual call needs to come to its end.
constexpr auto kGoodbye = std::chrono::seconds(2);

// Beyond it the clock's arithmetic would overflow.
constexpr absl::Duration kMostPatience = absl::Hours(24);

}  // namespace

struct ExpendableThread::Shared {
  struct Call {
    explicit Call(Work call_work) : work(std::move(call_work)) {}
    Work work;
    bool abandoned = false;
    std::optional<absl::Status> result;
    std::condition_variable finished;
  };

  bool IsAwaited(const Call& call) {
    const std::lock_guard lock(mutex);
    return !call.abandoned;
  }

  std::mutex mutex;
  std::condition_variable changed;
  std::list<std::shared_ptr<Call>> waiting;
  std::optional<Clock::time_point> busy_since;
  bool stopping = false;
  bool ended = false;
};

ExpendableThread::ExpendableThread(std::function<void()> at_end)
    : shared_(std::make_shared<Shared>()),
      thread_([shared = shared_, at_end = std::move(at_end)] { Serve(shared, at_end); }) {}

ExpendableThread::~ExpendableThread() {
  std::unique_lock lock(shared_->mutex);
  shared_->stopping = true;
  shared_->changed.notify_all();
  const bool ended = shared_->changed.wait_for(lock, kGoodbye, [this] { return shared_->ended; });
  lock.unlock();
  if (ended) {
    thread_.join();
  } else {
    thread_.detach();
  }
}

std::optional<absl::Status> ExpendableThread::Run(Work work, absl::Duration patience) {
  const auto call = std::make_shared<Shared::Call>(std::move(work));
  const auto until = Clock::now() + absl::ToChronoNanoseconds(std::min(patience, kMostPatience));
  std::unique_lock lock(shared_->mutex);
  if (shared_->stopping) return std::nullopt;
  shared_->waiting.push_back(call);
  shared_->changed.notify_all();
  if (call->finished.wait_until(lock, until, [&call] { return call->result.has_value(); })) return call->result;
  call->abandoned = true;
  shared_->waiting.remove(call);
  return std::nullopt;
}

absl::Duration ExpendableThread::BusyFor() const {
  const std::lock_guard lock(shared_->mutex);
  return shared_->busy_since ? absl::FromChrono(Clock::now() - *shared_->busy_since) : absl::ZeroDuration();
}

void ExpendableThread::Serve(const std::shared_ptr<Shared>& shared, const std::function<void()>& at_end) {
  std::unique_lock lock(shared->mutex);
  for (;;) {
    shared->changed.wait(lock, [&shared] { return shared->stopping || !shared->waiting.empty(); });
    if (shared->stopping) break;
    const std::shared_ptr<Shared::Call> call = shared->waiting.front();
    shared->waiting.pop_front();
    shared->busy_since = Clock::now();
    lock.unlock();
    absl::Status result = call->work([&shared, &call] { return shared->IsAwaited(*call); });
    call->work = nullptr;  // what it owns goes here, where going may hang
    lock.lock();
    shared->busy_since.reset();
    call->result = std::move(result);
    call->finished.notify_all();
  }
  lock.unlock();
  at_end();
  lock.lock();
  shared->ended = true;
  shared->changed.notify_all();
}

}  // namespace volcrypt
