#include "tools/volcryptctl/key_check.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "tools/volcryptctl/call_error.h"
#include "tools/volcryptctl/json_output.h"
#include "tools/volcryptctl/printable.h"
#include "tools/volcryptctl/text_table.h"
#include "volcrypt/v1/key.grpc.pb.h"

namespace volcrypt::ctl {
namespace {

using Step = v1::CheckKeyManagerResponse::Step;

constexpr absl::string_view kAway = "KEY_MANAGER_UNAVAILABLE";
constexpr absl::string_view kTimedOut = "KEY_MANAGER_TIMED_OUT";

// As the agent's own errors have them.
absl::StatusCode CodeOf(absl::string_view reason) {
  if (reason == kAway) return absl::StatusCode::kUnavailable;
  return reason == kTimedOut ? absl::StatusCode::kDeadlineExceeded : absl::StatusCode::kFailedPrecondition;
}

absl::Status FailureAt(const Step& step, const std::string& key_manager) {
  const std::string who = key_manager.empty() ? "the default key manager" : absl::StrCat("key manager ", key_manager);
  const std::string message = absl::StrCat(who, " fails at the step ", step.name());
  const absl::string_view reason = step.reason().empty() ? kAway : absl::string_view(step.reason());
  return OwnError(CodeOf(reason), reason, message);
}

void PrintSteps(Session& session, const v1::CheckKeyManagerResponse& response) {
  TextTable table({"STEP", "RESULT", "DETAIL"});
  for (const Step& step : response.steps()) {
    const bool is_warning = step.passed() && !step.remedy().empty();
    table.Add({step.name(), is_warning ? "WARNING" : step.passed() ? "passed" : "FAILED", step.detail()});
  }
  table.Print(session.out);
  for (const Step& step : response.steps()) {
    if (step.remedy().empty()) continue;
    session.out << "What to do at " << Printable(step.name()) << ": " << Printable(step.remedy()) << '\n';
  }
}

}  // namespace

absl::Status CheckKeyManager(const std::string& key_manager, Session& session) {
  v1::CheckKeyManagerRequest request;
  request.set_key_manager(key_manager);
  const auto response = session.client.Call(&v1::KeyService::Stub::CheckKeyManager, request);
  if (!response.ok()) return response.status();
  const auto failed = std::ranges::find_if(response->steps(), [](const Step& step) { return !step.passed(); });
  const bool has_passed = failed == response->steps().end();
  if (session.output == Output::kJson) {
    PrintJson(session.out, *response);
  } else if (session.quiet) {
    session.out << (has_passed ? "passed" : Printable(failed->name())) << '\n';
  } else {
    PrintSteps(session, *response);
  }
  return has_passed ? absl::OkStatus() : FailureAt(*failed, key_manager);
}

}  // namespace volcrypt::ctl
