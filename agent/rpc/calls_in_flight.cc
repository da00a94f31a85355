#include "agent/rpc/calls_in_flight.h"

#include <string_view>

namespace volcrypt {

// gRPC makes one for each call and destroys it with the call's context.
class CallsInFlight::Counted : public grpc::experimental::Interceptor {
 public:
  explicit Counted(CallsInFlight& calls) : calls_(calls) {}
  ~Counted() override {
    const std::lock_guard lock(calls_.mutex_);
    if (--calls_.count_ == 0) calls_.gone_.notify_all();
  }
  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override { methods->Proceed(); }

 private:
  CallsInFlight& calls_;
};

class CallsInFlight::Counter : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  explicit Counter(CallsInFlight& calls) : calls_(calls) {}
  grpc::experimental::Interceptor* CreateServerInterceptor(grpc::experimental::ServerRpcInfo* info) override {
    if (!std::string_view(info->method()).starts_with("/volcrypt.")) return nullptr;
    const std::lock_guard lock(calls_.mutex_);
    if (!calls_.counting_) return nullptr;
    ++calls_.count_;
    return new Counted(calls_);
  }

 private:
  CallsInFlight& calls_;
};

std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> CallsInFlight::NewInterceptors() {
  return std::make_unique<Counter>(*this);
}

void CallsInFlight::WaitUntilGone(absl::Time deadline) {
  std::unique_lock lock(mutex_);
  counting_ = false;
  gone_.wait_until(lock, absl::ToChronoTime(deadline), [this] { return count_ == 0; });
}

}  // namespace volcrypt
