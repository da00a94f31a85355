#include "agent/audit_event.h"

#include "encryptors/reason.h"
#include "nlohmann/json.hpp"

namespace volcrypt {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kMaxValueBytes = 256;

std::string Cut(std::string_view text) { return std::string(text.substr(0, kMaxValueBytes)); }

Json ToJson(const Caller* caller) {
  if (caller == nullptr) return nullptr;
  if (caller->process) return {{"uid", caller->process->uid}, {"pid", caller->process->pid}};
  Json names = Json::array();
  for (const std::string& name : caller->certificate_names) names.push_back(Cut(name));
  return {{"certificate", names}};
}

Json Begin(absl::Time now, std::string_view event) {
  return {{"time", absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", now, absl::UTCTimeZone())}, {"event", event}};
}

std::string ToLine(const Json& line) {
  return line.dump(-1, ' ', /*ensure_ascii=*/true, Json::error_handler_t::replace);
}

}  // namespace

std::string AuditLine(const AuditEvent& event, absl::Time now) {
  Json line = Begin(now, event.will.empty() ? "done" : "begins");
  line["verb"] = Cut(event.verb);
  line["caller"] = ToJson(event.caller);
  line["role"] = Cut(event.role);
  for (const auto& [name, value] : event.about) line[Cut(name)] = Cut(value);
  if (event.will.empty()) {
    const Reason reason = ReasonOf(event.outcome).value_or(Reason::kWorkerFailed);
    line["result"] = event.outcome.ok() ? "OK" : absl::StatusCodeToString(ReasonCode(reason));
    line["reason"] = event.outcome.ok() ? "" : std::string(ReasonName(reason));
    line["duration_ms"] = absl::ToInt64Milliseconds(event.took);
  } else {
    line["will"] = Cut(event.will);
  }
  return ToLine(line);
}

std::string LeftOutLine(std::string_view caller, uint64_t calls, absl::Time now) {
  Json line = Begin(now, "left_out");
  line["denied_calls"] = calls;
  line["of"] = Cut(caller);
  return ToLine(line);
}

}  // namespace volcrypt
