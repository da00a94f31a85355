#pragma once

#include <condition_variable>
#include <mutex>
#include <ostream>
#include <thread>

#include "absl/time/time.h"

namespace volcrypt::ctl {

// Says on `err`, once and only after `delay`, that a call is still under way. Nobody else writes to `err` while one
// lives.
class WaitingNote {
 public:
  WaitingNote(std::ostream& err, absl::Duration delay);
  ~WaitingNote() { Finish(); }
  WaitingNote(const WaitingNote&) = delete;
  WaitingNote& operator=(const WaitingNote&) = delete;

  // The answer is there. Tells whether the note was given.
  bool Finish();

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool answered_ = false;
  bool given_ = false;
  std::thread thread_;
};

}  // namespace volcrypt::ctl
