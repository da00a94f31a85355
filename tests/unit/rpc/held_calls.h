#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/fakes/fake_encryptor.h"
#include "tests/unit/rpc/rpc_fixture.h"

namespace volcrypt {

// Detaches that hang in the encryptor, as on a dead storage target, until they are released.
class HeldCalls {
 public:
  explicit HeldCalls(FakeEncryptor& encryptor) {
    encryptor.on_detach = [this](const DetachRequest&) {
      std::unique_lock lock(mutex_);
      ++held_;
      released_changed_.wait(lock, [this] { return released_; });
      DetachResult result;
      result.was_attached = true;
      return result;
    };
  }
  HeldCalls(const HeldCalls&) = delete;
  HeldCalls& operator=(const HeldCalls&) = delete;
  ~HeldCalls() { Release(); }

  // Returns when that many hang.
  void Start(const std::shared_ptr<grpc::Channel>& channel, int count) {
    StartMore(channel, count, [this, count] { return Held() == count; });
  }
  void StartMore(const std::shared_ptr<grpc::Channel>& channel, int count, const std::function<bool()>& arrived) {
    for (int i = 0; i < count; ++i) {
      threads_.emplace_back([this, channel, id = "held-" + std::to_string(threads_.size())] {
        v1::DetachVolumeRequest request;
        request.set_volume_id(id);
        v1::DetachVolumeResponse response;
        const auto context = Patient();
        if (v1::VolumeEncryptorService::NewStub(channel)->DetachVolume(context.get(), request, &response).ok())
          ++ended_;
      });
    }
    EXPECT_TRUE(Eventually(arrived));
  }

  // Lets them go and waits for their answers. May be called again.
  void Release() {
    {
      const std::lock_guard lock(mutex_);
      released_ = true;
    }
    released_changed_.notify_all();
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }

  int EndedWell() const { return ended_; }

 private:
  int Held() {
    const std::lock_guard lock(mutex_);
    return held_;
  }

  std::mutex mutex_;
  std::condition_variable released_changed_;
  bool released_ = false;
  int held_ = 0;
  std::atomic<int> ended_ = 0;
  std::vector<std::thread> threads_;
};

}  // namespace volcrypt
