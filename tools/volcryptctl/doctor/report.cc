#include "tools/volcryptctl/doctor/report.h"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "nlohmann/json.hpp"
#include "tools/volcryptctl/call_error.h"
#include "tools/volcryptctl/exit_status.h"
#include "tools/volcryptctl/json_output.h"
#include "tools/volcryptctl/printable.h"
#include "tools/volcryptctl/text_table.h"

namespace volcrypt::ctl {
namespace {

const char* Word(Result result) {
  switch (result) {
    case Result::kOk:
      return "OK";
    case Result::kWarning:
      return "WARNING";
    case Result::kFault:
      return "FAULT";
  }
  return "";
}

Result WorstOf(const Findings& findings) {
  Result worst = Result::kOk;
  for (const Finding& finding : findings) worst = std::max(worst, finding.result);
  return worst;
}

void PrintTable(Session& session, const Findings& findings) {
  TextTable table({"CHECK", "RESULT", "FOUND"});
  for (const Finding& finding : findings) table.Add({finding.check, Word(finding.result), finding.found});
  table.Print(session.out);
  std::set<std::string> said;  // one remedy may do for several
  for (const Finding& finding : findings) {
    const std::string line = absl::StrCat("What to do about ", finding.check, ": ", Printable(finding.remedy));
    if (!finding.remedy.empty() && said.insert(line).second) session.out << line << '\n';
  }
}

}  // namespace

nlohmann::ordered_json ToJson(const Findings& findings) {
  nlohmann::ordered_json object = {{"result", Word(WorstOf(findings))}};
  object["checks"] = nlohmann::ordered_json::array();
  for (const Finding& finding : findings) {
    object["checks"].push_back({{"check", finding.check},
                                {"result", Word(finding.result)},
                                {"found", finding.found},
                                {"remedy", finding.remedy}});
  }
  return object;
}

void PrintFindings(Session& session, const Findings& findings) {
  if (session.output == Output::kJson) {
    PrintJson(session.out, ToJson(findings));
  } else if (session.quiet) {
    session.out << Word(WorstOf(findings)) << '\n';
  } else {
    PrintTable(session, findings);
  }
}

absl::Status FaultsOf(const Findings& findings) {
  std::vector<std::string> checks;
  for (const Finding& finding : findings) {
    if (finding.result != Result::kFault || (!checks.empty() && checks.back() == finding.check)) continue;
    checks.push_back(finding.check);
  }
  if (checks.empty()) return absl::OkStatus();
  return OwnError(absl::StatusCode::kFailedPrecondition, kHostFaultReason,
                  absl::StrCat("at fault: ", absl::StrJoin(checks, ", ")));
}

}  // namespace volcrypt::ctl
