#include "agent/rpc/call.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <new>
#include <optional>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "agent/rpc/caller_of.h"
#include "agent/rpc/caller_tokens.h"
#include "agent/rpc/error.h"
#include "agent/rpc/trace_of.h"
#include "agent/shown_key_id.h"
#include "agent/volume_identity.h"
#include "encryptors/reason.h"

namespace volcrypt {
namespace {

// Of a field that the caller sent, which may be as long as a message.
constexpr size_t kMaxLoggedBytes = 256;
constexpr std::string_view kKeyField = "key";

const char* RoleName(Role role) {
  switch (role) {
    case Role::kNone:
      return "none";
    case Role::kCompute:
      return "compute";
    case Role::kAdmin:
      return "admin";
  }
  return "none";
}

std::string_view VerbOf(const CallDescription& description) {
  return description.method.substr(description.method.rfind('/') + 1);
}

// gRPC writes "never" as the largest time there is, in which arithmetic would overflow.
absl::Time DeadlineOf(const grpc::ServerContext& context) {
  const std::chrono::system_clock::time_point deadline = context.deadline();
  return deadline == std::chrono::system_clock::time_point::max() ? absl::InfiniteFuture() : absl::FromChrono(deadline);
}

// A fault in our own code must not take the daemon and everybody's calls with it.
absl::Status Guarded(Call& call, absl::FunctionRef<absl::Status(Call&)> work) {
  try {
    return work(call);
  } catch (const std::bad_alloc&) {
    return MakeError(Reason::kOutOfMemory, "volcryptd is out of memory; try again later");
  } catch (const std::exception& error) {
    return MakeError(Reason::kWorkerFailed, absl::StrCat("volcryptd failed: ", error.what()));
  }
}

// Whether the caller was turned away for who it is.
bool IsDenied(const absl::Status& outcome) {
  return absl::IsUnauthenticated(outcome) || absl::IsPermissionDenied(outcome);
}

// Without a role for the call, which is what anybody is. A caller whose token Keystone refuses has one.
bool IsTurnedAway(const absl::StatusOr<Caller>& caller, const absl::Status& outcome) {
  return !caller.ok() || HasReason(outcome, Reason::kCallerUnknown) || HasReason(outcome, Reason::kCallerNotAllowed);
}

// What a caller did wrong is no problem of the host's; what failed on the host is.
LogLevel LevelOf(const absl::Status& outcome, CallKind kind) {
  if (outcome.ok()) return kind == CallKind::kRead ? LogLevel::kDebug : LogLevel::kInfo;
  return outcome.code() == absl::StatusCode::kInternal ? LogLevel::kError : LogLevel::kWarning;
}

void AddTo(LogFields& fields, const Caller& caller) {
  if (caller.process) {
    fields.emplace_back("uid", absl::StrCat(caller.process->uid));
    fields.emplace_back("pid", absl::StrCat(caller.process->pid));
  } else {
    fields.emplace_back("certificate", absl::StrJoin(caller.certificate_names, ","));
  }
}

void AddTo(LogFields& fields, const RequestTrace& trace) {
  fields.emplace_back("request_id", trace.request_id);
  if (!trace.traceparent.empty()) fields.emplace_back("traceparent", trace.traceparent);
}

}  // namespace

absl::Time CallDeadline(absl::Time now, absl::Time callers, absl::Duration configured) {
  const absl::Duration room = std::clamp((callers - now) / 10, absl::ZeroDuration(), absl::Milliseconds(200));
  return std::min(callers - room, now + configured);
}

grpc::Status CallRunner::Run(grpc::ServerContext& context, const CallDescription& description,
                             absl::FunctionRef<absl::Status(Call&)> work) {
  if (!Begin()) {
    return ToRpcStatus(MakeError(Reason::kHelperUnavailable, "volcryptd is shutting down; try again when it is back"));
  }
  const absl::Cleanup end = [this] { End(); };
  const absl::Time start = absl::Now();
  Call call{.deadline = CallDeadline(start, DeadlineOf(context), operation_timeout_),
            .trace = TraceOf(context.client_metadata())};
  context.AddTrailingMetadata(kRequestIdMetadata, call.trace.request_id);
  const absl::StatusOr<Caller> caller = CallerOf(context, peers_);
  const absl::Status outcome = RunAllowed(context, description, caller, call, work);
  // Also at the agent's own calls, so that it waits for no other caller.
  TellLeftOut(absl::Now());
  // Nobody has asked for anything, so there is nothing to tell or to count.
  if (caller.ok() && caller->process && caller->process->is_self) return ToRpcStatus(outcome);
  Report(description, caller, call, absl::Now() - start, outcome);
  return ToRpcStatus(outcome);
}

absl::StatusOr<CallerLimit::Share> CallRunner::AdmitTo(CallerLimit& limit, const absl::StatusOr<Caller>& caller,
                                                       std::string_view method, Role& role) const {
  if (!caller.ok()) return caller.status();
  role = access_.Get()->RoleOf(*caller);
  if (absl::Status allowed = CheckAccess(role, method); !allowed.ok()) return allowed;
  return limit.Take(NameOf(*caller));
}

absl::StatusOr<CallerLimit::Share> CallRunner::Admit(const grpc::ServerContextBase& context, std::string_view method) {
  const CallDescription description{.method = method, .kind = CallKind::kRead, .about = {}};
  Call call{.deadline = absl::InfiniteFuture(), .trace = TraceOf(context.client_metadata())};
  const absl::StatusOr<Caller> caller = CallerOf(context, peers_);
  absl::StatusOr<CallerLimit::Share> share = AdmitTo(callers_built_in_calls_, caller, method, call.role);
  TellLeftOut(absl::Now());
  if (!share.ok()) Report(description, caller, call, absl::ZeroDuration(), share.status());
  return share;
}

absl::Status CallRunner::RunAllowed(const grpc::ServerContext& context, const CallDescription& description,
                                    const absl::StatusOr<Caller>& caller, Call& call,
                                    absl::FunctionRef<absl::Status(Call&)> work) {
  CallerLimit& limit = description.may_ask_key_manager ? callers_key_calls_ : callers_other_calls_;
  const absl::StatusOr<CallerLimit::Share> share = AdmitTo(limit, caller, description.method, call.role);
  if (!share.ok()) return share.status();
  absl::StatusOr<std::optional<CallerTokens>> tokens = TokensOf(context.client_metadata());
  if (!tokens.ok()) return tokens.status();
  call.tokens = *std::move(tokens);
  call.before_lasting_step = [&](std::string_view will, const LogFields& on_what) {
    absl::Status written = AuditBeforehand(description, *caller, call, will, on_what);
    // What comes of it is told with the same words, also when it fails.
    if (written.ok()) call.results.insert(call.results.end(), on_what.begin(), on_what.end());
    return written;
  };
  if (!description.may_ask_key_manager) return Guarded(call, work);
  const absl::StatusOr<OperationSlots::Slot> slot = key_calls_.Take(absl::InfinitePast());
  return slot.ok() ? Guarded(call, work) : slot.status();
}

LogFields CallRunner::Story(const CallDescription& description, const Call& call, const absl::Status& outcome) {
  LogFields fields;
  for (const auto& [name, value] : description.about) {
    if (value.empty()) continue;
    fields.emplace_back(name, name == kKeyField ? ShownKeyId(value, outcome) : value.substr(0, kMaxLoggedBytes));
  }
  for (const auto& [name, value] : call.results) {
    if (!value.empty()) fields.emplace_back(name, value);
  }
  AddIdentityIn(outcome, fields);
  return fields;
}

void CallRunner::Report(const CallDescription& description, const absl::StatusOr<Caller>& caller, const Call& call,
                        absl::Duration took, const absl::Status& outcome) {
  if (!IsTurnedAway(caller, outcome) || denied_.Take(caller.ok() ? NameOf(*caller) : "nobody known", absl::Now())) {
    LogOutcome(description, caller, call, took, outcome);
    AuditOutcome(description, caller, call, took, outcome);
  }
  observer_.OperationEnded(VerbOf(description), outcome, took, call.facts);
}

void CallRunner::LogOutcome(const CallDescription& description, const absl::StatusOr<Caller>& caller, const Call& call,
                            absl::Duration took, const absl::Status& outcome) const {
  const LogLevel level = LevelOf(outcome, description.kind);
  if (!log_.Takes(level)) return;
  LogFields fields = Story(description, call, outcome);
  const std::optional<Reason> reason = ReasonOf(outcome);
  fields.emplace_back("reason", outcome.ok() ? "OK" : std::string(ReasonName(reason.value_or(Reason::kWorkerFailed))));
  fields.emplace_back("duration_ms", absl::StrFormat("%.1f", absl::ToDoubleMilliseconds(took)));
  if (caller.ok()) AddTo(fields, *caller);
  fields.emplace_back("role", RoleName(call.role));
  AddTo(fields, call.trace);
  if (!call.warnings.empty()) fields.emplace_back("warnings", absl::StrJoin(call.warnings, "; "));
  if (!outcome.ok()) fields.emplace_back("error", std::string(outcome.message()));
  log_.Write(level, VerbOf(description), fields);
}

void CallRunner::TellLeftOut(absl::Time now) {
  for (const auto& [caller, calls] : denied_.TakeLeftOut(now)) {
    log_.Write(LogLevel::kWarning, "further calls of one caller were denied",
               {{"caller", caller}, {"calls", absl::StrCat(calls)}});
    audit_.WriteLeftOut(caller, calls);
  }
}

absl::Status CallRunner::AuditBeforehand(const CallDescription& description, const Caller& caller, const Call& call,
                                         std::string_view will, const LogFields& on_what) {
  LogFields about = Story(description, call, absl::OkStatus());
  about.insert(about.end(), on_what.begin(), on_what.end());
  AddTo(about, call.trace);
  return audit_.WriteBefore({.verb = VerbOf(description),
                             .caller = &caller,
                             .role = RoleName(call.role),
                             .about = std::move(about),
                             .will = will,
                             .outcome = absl::OkStatus(),
                             .took = absl::ZeroDuration()});
}

void CallRunner::AuditOutcome(const CallDescription& description, const absl::StatusOr<Caller>& caller,
                              const Call& call, absl::Duration took, const absl::Status& outcome) {
  if (description.kind == CallKind::kRead && !IsDenied(outcome)) return;
  LogFields about = Story(description, call, outcome);
  AddTo(about, call.trace);
  audit_.WriteAfter({.verb = VerbOf(description),
                     .caller = caller.ok() ? &*caller : nullptr,
                     .role = RoleName(call.role),
                     .about = std::move(about),
                     .will = "",
                     .outcome = outcome,
                     .took = took});
}

bool CallRunner::Begin() {
  const std::lock_guard lock(mutex_);
  if (draining_) return false;
  ++running_;
  return true;
}

void CallRunner::End() {
  const std::lock_guard lock(mutex_);
  --running_;
  // Under the lock: once it is open the runner may be destroyed.
  if (running_ == 0) idle_.notify_all();
}

void CallRunner::Refuse() {
  const std::lock_guard lock(mutex_);
  draining_ = true;
}

bool CallRunner::Drain(absl::Time deadline) {
  Refuse();
  std::unique_lock lock(mutex_);
  const bool idle = idle_.wait_until(lock, absl::ToChronoTime(deadline), [this] { return running_ == 0; });
  lock.unlock();
  TellLeftOut(absl::InfiniteFuture());
  return idle;
}

}  // namespace volcrypt
