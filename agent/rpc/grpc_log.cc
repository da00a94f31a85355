#include "agent/rpc/grpc_log.h"

#include <grpc/support/log.h>

#include <mutex>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace volcrypt {
namespace {

constexpr absl::Duration kInterval = absl::Seconds(1);

// gRPC takes a plain function, so what it needs is global; never destroyed, since gRPC's threads may outlive main.
struct State {
  const Log* log = nullptr;
  std::mutex mutex;
  absl::Time last = absl::InfinitePast();
  uint64_t left_out = 0;
};
State& TheState() {
  static auto* const state = new State;
  return *state;
}

void Write(gpr_log_func_args* args) {
  State& state = TheState();
  if (args->severity != GPR_LOG_SEVERITY_ERROR) return;
  uint64_t left_out = 0;
  {
    const std::lock_guard lock(state.mutex);
    const absl::Time now = absl::Now();
    if (now - state.last < kInterval && now >= state.last) {
      ++state.left_out;
      return;
    }
    state.last = now;
    std::swap(left_out, state.left_out);
  }
  LogFields fields = {{"error", args->message}};
  if (left_out > 0) fields.emplace_back("more_left_out", absl::StrCat(left_out));
  state.log->Write(LogLevel::kWarning, "the RPC server reports an error of a connection", fields);
}

}  // namespace

void TakeGrpcLog(const Log& log) {
  TheState().log = &log;
  gpr_set_log_function(Write);
}

}  // namespace volcrypt
