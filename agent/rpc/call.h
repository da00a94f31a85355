// What all calls of the API have in common.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/status.h>

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/audit.h"
#include "agent/burst_limit.h"
#include "agent/caller.h"
#include "agent/caller_limit.h"
#include "agent/current_access.h"
#include "agent/keys/key_manager.h"
#include "agent/keys/request_trace.h"
#include "agent/log.h"
#include "agent/metrics/observer.h"
#include "agent/operation_slots.h"
#include "agent/rpc/peers.h"

namespace volcrypt {

// Reads change nothing; that they went well is worth a line at debug level only.
enum class CallKind : uint8_t { kRead, kWrite };

struct CallDescription {
  std::string_view method;  // as gRPC writes it: /volcrypt.v1.KeyService/CreateKey
  CallKind kind = CallKind::kWrite;
  LogFields about;  // volume, device, key: as the caller sent them; empty ones are left out of log and audit
  bool may_ask_key_manager = false;
};

// One call in progress, as its own work sees it.
struct Call {
  Role role = Role::kNone;
  absl::Time deadline;
  std::optional<CallerTokens> tokens;  // never for the log
  RequestTrace trace;
  LogFields results;                  // for log and audit
  std::vector<std::string> warnings;  // likewise
  OperationFacts facts;               // for whoever counts
  // To be called before a step that cannot be undone, with what it will do and on what, besides what the caller has
  // named: the audit has it then, whatever follows. An error forbids the step.
  std::function<absl::Status(std::string_view will, const LogFields& on_what)> before_lasting_step;

  bool IsAdmin() const { return role == Role::kAdmin; }
  // For key managers, whose warnings are the call's. The call outlives it.
  KeyCall ForKeys() {
    KeyCall call(deadline, tokens ? &*tokens : nullptr);
    call.warnings = &warnings;
    call.trace = &trace;
    return call;
  }
  void Warn(const std::vector<std::string>& more) { warnings.insert(warnings.end(), more.begin(), more.end()); }
};

// Who is told of calls. All outlive whoever is given them.
struct Reporting {
  const Log& log;
  Observer& observer;
  Audit& audit;
};

// Runs every call the same way: who calls, may they, until when, the work itself, one log line, one count and one line
// of the audit, the answer. Of a caller that is turned away a few calls a minute have lines, and the others their
// number. The answer's metadata name the request (trace_of.h). Thread-safe.
class CallRunner {
 public:
  // The references outlive the runner. Of the calls that may ask a key manager no more than `max_key_calls` run at the
  // same time, and of one caller no more than `max_calls_per_caller` of these and of the others; further ones are
  // TOO_MANY_OPERATIONS at once.
  CallRunner(const Peers& peers, const CurrentAccess& access, const Reporting& reporting,
             absl::Duration operation_timeout, uint32_t max_key_calls, uint32_t max_calls_per_caller)
      : peers_(peers),
        access_(access),
        log_(reporting.log),
        observer_(reporting.observer),
        audit_(reporting.audit),
        operation_timeout_(operation_timeout),
        key_calls_(max_key_calls, /*max_waiting=*/0),
        callers_key_calls_(max_calls_per_caller),
        callers_other_calls_(max_calls_per_caller),
        callers_built_in_calls_(kMaxBuiltInCallsPerCaller) {}

  grpc::Status Run(grpc::ServerContext& context, const CallDescription& description,
                   absl::FunctionRef<absl::Status(Call&)> work);

  // For calls that gRPC answers by itself: whether this caller may make one more of them. What is refused is told and
  // counted as any other, CALLER_UNKNOWN, CALLER_NOT_ALLOWED or TOO_MANY_OPERATIONS.
  absl::StatusOr<CallerLimit::Share> Admit(const grpc::ServerContextBase& context, std::string_view method);

  // All calls from now on, except those that gRPC answers by itself.
  void Refuse();
  // The same, and waits for those that run. False when some still run at the deadline.
  bool Drain(absl::Time deadline);

 private:
  // Those of reflection hold a thread each, for as long as the caller wants.
  static constexpr uint32_t kMaxBuiltInCallsPerCaller = 32;

  bool Begin();
  void End();
  absl::StatusOr<CallerLimit::Share> AdmitTo(CallerLimit& limit, const absl::StatusOr<Caller>& caller,
                                             std::string_view method, Role& role) const;
  absl::Status RunAllowed(const grpc::ServerContext& context, const CallDescription& description,
                          const absl::StatusOr<Caller>& caller, Call& call,
                          absl::FunctionRef<absl::Status(Call&)> work);
  // Of calls that were left out of log and audit.
  void TellLeftOut(absl::Time now);
  // The call as log and audit tell it, without how it ended.
  static LogFields Story(const CallDescription& description, const Call& call, const absl::Status& outcome);
  void Report(const CallDescription& description, const absl::StatusOr<Caller>& caller, const Call& call,
              absl::Duration took, const absl::Status& outcome);
  void LogOutcome(const CallDescription& description, const absl::StatusOr<Caller>& caller, const Call& call,
                  absl::Duration took, const absl::Status& outcome) const;
  void AuditOutcome(const CallDescription& description, const absl::StatusOr<Caller>& caller, const Call& call,
                    absl::Duration took, const absl::Status& outcome);
  absl::Status AuditBeforehand(const CallDescription& description, const Caller& caller, const Call& call,
                               std::string_view will, const LogFields& on_what);

  const Peers& peers_;
  const CurrentAccess& access_;
  const Log& log_;
  Observer& observer_;
  Audit& audit_;
  const absl::Duration operation_timeout_;
  OperationSlots key_calls_;
  // Apart, so that who waits for a hung key manager with all its calls can still detach.
  CallerLimit callers_key_calls_;
  CallerLimit callers_other_calls_;
  CallerLimit callers_built_in_calls_;
  BurstLimit denied_;

  std::mutex mutex_;
  std::condition_variable idle_;
  uint32_t running_ = 0;
  bool draining_ = false;
};

// Until when a call may wait: the configured time, or the caller's deadline less what the answer needs to arrive
// before the caller gives up and never learns the reason.
absl::Time CallDeadline(absl::Time now, absl::Time callers, absl::Duration configured);

}  // namespace volcrypt
