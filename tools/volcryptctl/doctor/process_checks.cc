#include <algorithm>
#include <map>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "tools/volcryptctl/doctor/checks.h"
#include "tools/volcryptctl/doctor/host_files.h"

namespace volcrypt::ctl {
namespace {

// The arena for keys, which the agent locks as a whole (encryptors/secret_bytes.cc).
constexpr uint64_t kLockedBytes = uint64_t{1} << 20;
constexpr uint64_t kCapIpcLock = uint64_t{1} << 14;  // its bit in capabilities(7); lifts the limit

// The soft limit of proc(5)'s "Max locked memory"; "unlimited" is all ones.
std::optional<uint64_t> LockLimit(const Host& host, pid_t pid) {
  const auto text = ReadText(host.At(absl::StrCat("/proc/", pid, "/limits")));
  if (!text.ok()) return std::nullopt;
  for (absl::string_view line : absl::StrSplit(*text, '\n')) {
    if (!absl::ConsumePrefix(&line, "Max locked memory")) continue;
    const std::vector<absl::string_view> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
    uint64_t bytes = 0;
    if (!words.empty() && words[0] == "unlimited") return ~uint64_t{0};
    if (!words.empty() && absl::SimpleAtoi(words[0], &bytes)) return bytes;
  }
  return std::nullopt;
}

bool MayLockAnyway(const Host& host, pid_t pid) {
  uint64_t capabilities = 0;
  const std::optional<std::string> text = ProcessStatus(host, pid, "CapEff");
  return text && absl::SimpleHexAtoi(*text, &capabilities) && (capabilities & kCapIpcLock) != 0;
}

// Workers in uninterruptible sleep, and how often each has given up the processor: one that moves on does it again.
std::map<pid_t, std::string> Sleeping(const Host& host) {
  std::map<pid_t, std::string> sleeping;
  for (const pid_t pid : ProcessesNamed(host, "volcrypt-worker")) {
    if (!absl::StartsWith(ProcessStatus(host, pid, "State").value_or(""), "D")) continue;
    sleeping[pid] = ProcessStatus(host, pid, "voluntary_ctxt_switches").value_or("");
  }
  return sleeping;
}

}  // namespace

Findings CheckMemoryLock(const Examination& examination) {
  Findings findings;
  for (const pid_t pid : ProcessesNamed(examination.host, "volcryptd")) {
    const std::optional<uint64_t> limit = LockLimit(examination.host, pid);
    const std::string who = absl::StrCat("volcryptd (process ", pid, ")");
    if (!limit) {
      findings.push_back(Hidden(absl::StrCat("the limits of ", who)));
    } else if (*limit < kLockedBytes && !MayLockAnyway(examination.host, pid)) {
      findings.push_back(Fault(absl::StrCat(who, " may lock ", *limit, " bytes of memory, and needs ", kLockedBytes),
                               "set LimitMEMLOCK=8M in its unit and restart it"));
    } else {
      findings.push_back(Fine(absl::StrCat(who, " may lock what it needs")));
    }
  }
  if (findings.empty()) {
    findings.push_back(Warning("not known: volcryptd does not run, or is hidden", "mend \"agent\" first"));
  }
  return findings;
}

Findings CheckWorkers(const Examination& examination) {
  const std::map<pid_t, std::string> first = Sleeping(examination.host);
  if (!first.empty()) absl::SleepFor(examination.host.between_looks);
  Findings findings;
  for (const auto& [pid, switches] : first.empty() ? first : Sleeping(examination.host)) {
    const auto before = first.find(pid);
    if (before == first.end() || before->second != switches) continue;
    findings.push_back(Fault(absl::StrCat("worker ", pid, " waits for a device that does not answer"),
                             "look at the path to the storage (journalctl -k): the worker ends by itself when the "
                             "device answers or is gone, and other volumes are not affected"));
  }
  if (findings.empty()) findings.push_back(Fine("none is stuck"));
  return findings;
}

}  // namespace volcrypt::ctl
