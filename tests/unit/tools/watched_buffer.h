#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <streambuf>
#include <string>

namespace volcrypt::ctl {

// What a stream was given, readable from another thread while the writer goes on.
class WatchedBuffer : public std::streambuf {
 public:
  std::string text() const {
    const std::lock_guard lock(mutex_);
    return text_;
  }

  // False when the text does not appear in time.
  bool WaitFor(const std::string& part, std::chrono::milliseconds time) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, time, [&] { return text_.find(part) != std::string::npos; });
  }

 private:
  int overflow(int c) override {
    const char byte = static_cast<char>(c);
    xsputn(&byte, 1);
    return c;
  }
  std::streamsize xsputn(const char* data, std::streamsize size) override {
    const std::lock_guard lock(mutex_);
    text_.append(data, static_cast<size_t>(size));
    changed_.notify_all();
    return size;
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::string text_;
};

}  // namespace volcrypt::ctl
