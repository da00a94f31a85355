#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tools/volcryptctl/doctor/checks.h"
#include "tools/volcryptctl/doctor/host_files.h"

namespace volcrypt::ctl {
namespace {

constexpr const char* kPrefix = "volcrypt-";

std::string Attribute(const std::string& path) { return ReadText(path).value_or(""); }

// What is wrong with the device below the mapping, as the agent sees it too; empty: nothing.
std::string BackingTrouble(const std::string& directory) {
  const auto slaves = NamesIn(absl::StrCat(directory, "/slaves"));
  if (!slaves.ok() || slaves->empty()) return "it has no backing device";
  const std::string& slave = slaves->front();
  const std::string link = absl::StrCat(directory, "/slaves/", slave);
  if (!Exists(link)) return absl::StrCat("its backing device ", slave, " is gone");
  const auto file = ReadText(absl::StrCat(link, "/loop/backing_file"));
  if (!file.ok()) {
    return absl::StartsWith(slave, "loop") ? absl::StrCat("its loop device ", slave, " has no file") : "";
  }
  const bool is_ours = Attribute(absl::StrCat(link, "/loop/autoclear")) == "1";
  return is_ours && absl::EndsWith(*file, " (deleted)") ? "its backing file is deleted" : "";
}

void CheckMapping(const std::string& directory, const std::string& name, Findings& findings) {
  if (!absl::StartsWith(Attribute(absl::StrCat(directory, "/dm/uuid")), "CRYPT-")) {
    findings.push_back(Warning(absl::StrCat(name, " is no crypt mapping, so none of ours"),
                               "find out who made it; a volume of that name cannot be attached beside it"));
    return;
  }
  const std::string trouble = BackingTrouble(directory);
  if (!trouble.empty()) {
    findings.push_back(Fault(absl::StrCat(name, ": ", trouble),
                             absl::StrCat("stop what uses it, run \"volcryptctl detach ",
                                          name.substr(std::string(kPrefix).size()), "\" and attach the volume again")));
  }
  if (Attribute(absl::StrCat(directory, "/dm/suspended")) == "1") {
    findings.push_back(
        Fault(absl::StrCat(name, " is suspended: whoever reads or writes waits"),
              absl::StrCat("run \"dmsetup resume ", name, "\", unless somebody suspended it on purpose")));
  }
}

}  // namespace

Findings CheckMappings(const Examination& examination) {
  const std::string block = examination.host.At("/sys/block");
  const auto devices = NamesIn(block);
  if (!devices.ok()) return {Fault(absl::StrCat(block, " cannot be read"), "mount sysfs at /sys")};
  Findings findings;
  int count = 0;
  for (const std::string& device : *devices) {
    if (!absl::StartsWith(device, "dm-")) continue;
    const std::string directory = absl::StrCat(block, "/", device);
    const std::string name = Attribute(absl::StrCat(directory, "/dm/name"));
    if (!absl::StartsWith(name, kPrefix)) continue;
    ++count;
    CheckMapping(directory, name, findings);
  }
  if (findings.empty()) findings.push_back(Fine(absl::StrCat(count, " in use, with their devices")));
  return findings;
}

}  // namespace volcrypt::ctl
