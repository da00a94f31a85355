#include "tools/volcryptctl/waiting_note.h"

namespace volcrypt::ctl {

WaitingNote::WaitingNote(std::ostream& err, absl::Duration delay)
    : thread_([this, &err, delay] {
        std::unique_lock lock(mutex_);
        if (changed_.wait_for(lock, absl::ToChronoNanoseconds(delay), [this] { return answered_; })) return;
        given_ = true;
        err << "volcryptctl: waiting for volcryptd ..." << std::endl;
      }) {}

bool WaitingNote::Finish() {
  {
    const std::lock_guard lock(mutex_);
    answered_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
  return given_;
}

}  // namespace volcrypt::ctl
