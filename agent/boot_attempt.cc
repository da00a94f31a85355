#include "agent/boot_attempt.h"

#include <exception>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "agent/shown_key_id.h"
#include "agent/uuid.h"
#include "agent/volume_identity.h"
#include "encryptors/reason.h"

namespace volcrypt {
namespace {

constexpr std::string_view kVerb = "AttachVolume";
constexpr std::string_view kRole = "boot";

// Of the key's id only what may be shown after this outcome.
AuditEvent EventOf(const BootVolume& volume, const KeyManagers& key_managers, const RequestTrace& trace,
                   const absl::Status& outcome) {
  const KeyReference key = volume.call.key.value_or(KeyReference{});
  const absl::StatusOr<KeyManagers::Found> found = key_managers.FindFor(key);
  AuditEvent event{.verb = kVerb,
                   .caller = nullptr,
                   .role = kRole,
                   .about = {{"volume", volume.call.volume_id},
                             {"device", volume.call.device},
                             {"key", ShownKeyId(key.key_id, outcome)},
                             {"key_manager", found.ok() ? found->name : key.key_manager},
                             {"file", volume.file},
                             {"request_id", trace.request_id}},
                   .will = "",
                   .outcome = outcome,
                   .took = absl::ZeroDuration()};
  std::erase_if(event.about, [](const auto& field) { return field.second.empty(); });
  return event;
}

bool IsRepeated(const absl::Status& outcome, const absl::Status& known) {
  return !outcome.ok() && !known.ok() && ReasonOf(outcome) == ReasonOf(known);
}

}  // namespace

absl::Status BootAttempt::Run(const BootVolume& volume, const absl::Status& known, absl::Time deadline) {
  const absl::Time start = absl::Now();
  const RequestTrace trace{.request_id = absl::StrCat("req-", RandomUuid()), .traceparent = ""};
  std::vector<std::string> warnings;
  KeyCall key_call(deadline);
  key_call.warnings = &warnings;
  key_call.trace = &trace;
  LogFields results;
  const absl::StatusOr<AttachAnswer> answer = Attach(volume.call, key_call, [&](const FormatPlan& plan) {
    AuditEvent event = EventOf(volume, attacher_.AllKeyManagers(), trace, absl::OkStatus());
    const LogFields on_what = IdentityOf(plan);
    event.about.insert(event.about.end(), on_what.begin(), on_what.end());
    event.will = plan.will;
    absl::Status written = audit_.WriteBefore(event);
    // What comes of it is told, whatever it is.
    if (written.ok()) results = on_what;
    return written;
  });
  if (results.empty() && IsRepeated(answer.status(), known)) return answer.status();
  OperationFacts facts;
  if (answer.ok()) {
    results = IdentityOf(answer->mapping);
    results.emplace_back("formatted", answer->formatted ? "true" : "false");
    warnings.insert(warnings.end(), answer->warnings.begin(), answer->warnings.end());
    facts = {.formatted = answer->formatted, .record_error = answer->record_error, .key_manager = answer->key_manager};
  }
  AuditEvent event = EventOf(volume, attacher_.AllKeyManagers(), trace, answer.status());
  event.about.insert(event.about.end(), results.begin(), results.end());
  AddIdentityIn(answer.status(), event.about);
  event.took = absl::Now() - start;
  Tell(event, warnings, facts);
  return answer.status();
}

// What goes wrong in our own code must not end the agent, and may go better the next time.
absl::StatusOr<AttachAnswer> BootAttempt::Attach(const AttachCall& call, const KeyCall& key_call,
                                                 const BeforeFormat& before_format) {
  try {
    return attacher_.Attach(call, key_call, before_format);
  } catch (const std::exception& error) {
    return MakeError(Reason::kWorkerFailed, absl::StrCat("volcryptd failed: ", error.what()));
  }
}

void BootAttempt::Tell(const AuditEvent& event, const std::vector<std::string>& warnings, const OperationFacts& facts) {
  observer_.OperationEnded(event.verb, event.outcome, event.took, facts);
  audit_.WriteAfter(event);
  const absl::Status& outcome = event.outcome;
  LogFields fields = event.about;
  fields.emplace_back("reason", outcome.ok() ? "OK" : ReasonName(ReasonOf(outcome).value_or(Reason::kWorkerFailed)));
  fields.emplace_back("duration_ms", absl::StrFormat("%.1f", absl::ToDoubleMilliseconds(event.took)));
  fields.emplace_back("role", kRole);
  if (!warnings.empty()) fields.emplace_back("warnings", absl::StrJoin(warnings, "; "));
  if (!outcome.ok()) fields.emplace_back("error", std::string(outcome.message()));
  log_.Write(outcome.ok() ? LogLevel::kInfo : LogLevel::kWarning, kVerb, fields);
}

}  // namespace volcrypt
