#pragma once

#include <grpcpp/support/server_interceptor.h>

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>

#include "absl/time/time.h"

namespace volcrypt {

// Counts the calls of our own services until gRPC has let go of them, which is after their answers were written: what
// a handler returns is not even serialised when it returns. Others are not counted: watchers of our health never end.
// Thread-safe.
class CallsInFlight {
 public:
  // For a server, which does not outlive this.
  std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> NewInterceptors();

  // Until the deadline, waits for the calls that are there now to be gone. Later ones are not counted any more.
  void WaitUntilGone(absl::Time deadline);

 private:
  class Counter;
  class Counted;

  std::mutex mutex_;
  std::condition_variable gone_;
  uint32_t count_ = 0;
  bool counting_ = true;
};

}  // namespace volcrypt
