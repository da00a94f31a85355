#include "agent/rpc/built_in_calls.h"

#include <grpc/grpc.h>

#include <optional>
#include <string_view>

#include "agent/rpc/error.h"

namespace volcrypt {
namespace {

using grpc::experimental::InterceptionHookPoints;
using grpc::experimental::ServerRpcInfo;

// Lives as long as its call.
class Gate : public grpc::experimental::Interceptor {
 public:
  Gate(CallRunner& calls, ServerRpcInfo& call) : calls_(calls), call_(call) {}

  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::POST_RECV_INITIAL_METADATA)) Check();
    methods->Proceed();
  }

 private:
  void Check() {
    grpc::ServerContextBase& context = *call_.server_context();
    absl::StatusOr<CallerLimit::Share> share = calls_.Admit(context, call_.method());
    if (share.ok()) {
      share_.emplace(*std::move(share));
      return;
    }
    const grpc::Status refusal = ToRpcStatus(share.status());
    // What the handler still does goes nowhere. TryCancel() would tell the caller nothing but CANCELLED.
    grpc_call_cancel_with_status(context.c_call(), static_cast<grpc_status_code>(refusal.error_code()),
                                 refusal.error_message().c_str(), nullptr);
  }

  CallRunner& calls_;
  ServerRpcInfo& call_;
  std::optional<CallerLimit::Share> share_;
};

class Gates : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  explicit Gates(CallRunner& calls) : calls_(calls) {}
  grpc::experimental::Interceptor* CreateServerInterceptor(ServerRpcInfo* call) override {
    return std::string_view(call->method()).starts_with("/volcrypt.") ? nullptr : new Gate(calls_, *call);
  }

 private:
  CallRunner& calls_;
};

}  // namespace

std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> NewBuiltInCallInterceptors(CallRunner& calls) {
  return std::make_unique<Gates>(calls);
}

}  // namespace volcrypt
