#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <thread>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace volcrypt {

// One thread for calls that have no time limit of their own. It makes them one after the other, while their callers
// wait no longer than they want to: a call that hangs costs this thread and nobody else. Thread-safe.
class ExpendableThread {
 public:
  // Whether the caller still waits.
  using IsAwaited = std::function<bool()>;
  // Owns all that it uses: it may go on when nobody waits for it and this is gone.
  using Work = std::function<absl::Status(const IsAwaited& is_awaited)>;

  // `at_end` is its last call, and owns all that it uses as well.
  explicit ExpendableThread(std::function<void()> at_end = [] {});
  ExpendableThread(const ExpendableThread&) = delete;
  ExpendableThread& operator=(const ExpendableThread&) = delete;
  // A thread that hangs is left behind.
  ~ExpendableThread();

  // What came of the work, or nothing when its turn or its end did not come in time. Work that was not begun by then is
  // not done; work that was may still end.
  std::optional<absl::Status> Run(Work work, absl::Duration patience);
  // How long the work that is under way has been; zero when none is.
  absl::Duration BusyFor() const;

 private:
  struct Shared;
  static void Serve(const std::shared_ptr<Shared>& shared, const std::function<void()>& at_end);

  const std::shared_ptr<Shared> shared_;
  std::thread thread_;
};

}  // namespace volcrypt
