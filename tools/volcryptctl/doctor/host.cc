#include "tools/volcryptctl/doctor/host.h"

#include <sys/timex.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "tools/volcryptctl/doctor/host_files.h"

namespace volcrypt::ctl {
namespace {

constexpr size_t kMaxProcesses = 64;

// NAME:PASSWORD:NUMBER:... of passwd(5) and group(5).
template <typename Visit>
void EachAccount(const Host& host, const std::string& file, const Visit& visit) {
  const absl::StatusOr<std::string> text = ReadText(host.At(file));
  if (!text.ok()) return;
  for (const absl::string_view line : absl::StrSplit(*text, '\n')) {
    const std::vector<absl::string_view> fields = absl::StrSplit(line, ':');
    uint32_t number = 0;
    if (fields.size() > 2 && absl::SimpleAtoi(fields[2], &number)) visit(fields[0], number);
  }
}

}  // namespace

Host ThisHost(const std::string& root) {
  utsname name = {};
  timex clock = {};
  Host host{.root = root, .user = ::geteuid(), .now = absl::Now()};
  if (::uname(&name) == 0) host.kernel_release = static_cast<const char*>(name.release);
  host.clock_is_synchronised = ::adjtimex(&clock) >= 0 && (clock.status & STA_UNSYNC) == 0;
  return host;
}

std::vector<pid_t> ProcessesNamed(const Host& host, const std::string& comm) {
  std::vector<pid_t> found;
  const auto names = NamesIn(host.At("/proc"));
  if (!names.ok()) return found;
  for (const std::string& name : *names) {
    pid_t pid = 0;
    if (found.size() == kMaxProcesses || !absl::SimpleAtoi(name, &pid)) continue;
    const auto said = ReadText(host.At(absl::StrCat("/proc/", name, "/comm")));
    if (said.ok() && *said == comm) found.push_back(pid);
  }
  return found;
}

std::optional<std::string> ProcessStatus(const Host& host, pid_t pid, const std::string& field) {
  const auto text = ReadText(host.At(absl::StrCat("/proc/", pid, "/status")));
  if (!text.ok()) return std::nullopt;
  for (absl::string_view line : absl::StrSplit(*text, '\n')) {
    if (absl::ConsumePrefix(&line, absl::StrCat(field, ":\t"))) return std::string(line);
  }
  return std::nullopt;
}

std::optional<uid_t> AgentUser(const Host& host) {
  for (const pid_t pid : ProcessesNamed(host, "volcryptd")) {
    const std::optional<std::string> ids = ProcessStatus(host, pid, "Uid");
    uid_t uid = 0;
    if (ids && absl::SimpleAtoi(ids->substr(0, ids->find('\t')), &uid)) return uid;
  }
  return NumberOf(host, "/etc/passwd", "volcrypt");
}

std::optional<uint32_t> NumberOf(const Host& host, const std::string& file, const std::string& name) {
  std::optional<uint32_t> found;
  EachAccount(host, file, [&](absl::string_view account, uint32_t number) {
    if (!found && account == name) found = number;
  });
  return found;
}

std::string NameOf(const Host& host, const std::string& file, uint32_t number) {
  std::string found;
  EachAccount(host, file, [&](absl::string_view account, uint32_t of) {
    if (found.empty() && of == number) found = std::string(account);
  });
  return found.empty() ? absl::StrCat(number) : found;
}

}  // namespace volcrypt::ctl
