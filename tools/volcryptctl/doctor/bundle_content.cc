#include "tools/volcryptctl/doctor/bundle_content.h"

#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "nlohmann/json.hpp"
#include "tools/volcryptctl/doctor/host_files.h"
#include "tools/volcryptctl/doctor/program.h"
#include "tools/volcryptctl/doctor/report.h"
#include "tools/volcryptctl/json_output.h"

namespace volcrypt::ctl {
namespace {

constexpr size_t kOsReleaseBytes = 4096;
constexpr const char* kJournalLines = "1000";
// NAME: START LENGTH crypt CIPHER KEY ...
constexpr size_t kTargetField = 3;
constexpr size_t kKeyField = 5;
// Named one by one: the rest of a unit has its environment in it.
constexpr const char* kUnitProperties =
    "Id,LoadState,UnitFileState,ActiveState,SubState,Result,NRestarts,MainPID,ExecMainStatus,StateChangeTimestamp,"
    "MemoryCurrent,TasksCurrent,LimitMEMLOCK,DropInPaths";

std::string TextOr(const absl::StatusOr<std::string>& text) {
  return text.ok() ? *text : absl::StrCat("not there: ", std::string(text.status().message()));
}

std::string Json(const nlohmann::ordered_json& object) {
  return object.dump(2, ' ', /*ensure_ascii=*/true, nlohmann::ordered_json::error_handler_t::replace);
}

template <typename Answer>
std::string Json(const absl::StatusOr<Answer>& answer) {
  return Json(answer.ok() ? ToJson(*answer) : nlohmann::ordered_json{{"error", ErrorToJson(answer.status())}});
}

std::string Configuration(const absl::StatusOr<ConfigFile>& config) {
  if (!config.ok()) return absl::StrCat("not there: ", std::string(config.status().message()));
  return absl::StrCat("read: ", absl::StrJoin(config->files, ", "), "\n", absl::StrJoin(config->settings, "\n"));
}

std::string DmTable() {
  const auto table = RunProgram({"dmsetup", "table", "--target", "crypt"});
  return table.ok() ? WithoutKeys(*table) : TextOr(table);
}

}  // namespace

std::string WithoutKeys(const std::string& table) {
  std::string kept;
  for (const absl::string_view line : absl::StrSplit(table, '\n')) {
    if (!absl::StartsWith(line, "volcrypt-")) continue;
    std::vector<std::string> fields = absl::StrSplit(line, ' ');
    if (fields.size() <= kKeyField || fields[kTargetField] != "crypt") continue;
    fields[kKeyField].assign(1, '0');
    absl::StrAppend(&kept, absl::StrJoin(fields, " "), "\n");
  }
  return kept;
}

BundleContent CollectBundle(const Examination& examination, const Findings& findings) {
  const Host& host = examination.host;
  return {
      {"doctor.json", Json(ToJson(findings))},
      {"versions.txt", absl::StrCat("volcryptctl ", VOLCRYPT_VERSION, "\nkernel ", host.kernel_release)},
      {"os-release.txt", TextOr(ReadText(host.At("/etc/os-release"), kOsReleaseBytes))},
      {"agent.json", Json(examination.agent.info)},
      {"attachments.json", Json(examination.agent.attachments)},
      {"configuration.txt", Configuration(examination.config)},
      {"dm-table.txt", DmTable()},
      {"units.txt", TextOr(RunProgram({"systemctl", "show", "--no-pager", absl::StrCat("--property=", kUnitProperties),
                                       "volcryptd.service", "volcryptd.socket", "volcrypt-helper.service",
                                       "volcrypt-helper.socket"}))},
      {"journal.txt", TextOr(RunProgram({"journalctl", "--no-pager", "--quiet", "--output=short-iso", "--lines",
                                         kJournalLines, "--unit=volcryptd", "--unit=volcrypt-helper"}))},
  };
}

}  // namespace volcrypt::ctl
