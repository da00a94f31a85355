#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "tools/volcryptctl/doctor/checks.h"
#include "tools/volcryptctl/doctor/host_files.h"

namespace volcrypt::ctl {
namespace {

constexpr mode_t kClosed = S_IRWXG | S_IRWXO;
constexpr mode_t kNotWritable = S_IWGRP | S_IWOTH;

// What a path may not be, and to whom it belongs; nothing: to whomever.
struct Rules {
  mode_t forbidden = kClosed;
  std::optional<uid_t> owner;
  const char* remedy = "";  // when it is not there
};

Finding CheckPath(const Host& host, const std::string& path, const Rules& rules) {
  const auto status = StatusOf(host.At(path));
  if (absl::IsPermissionDenied(status.status())) return Hidden(path);
  if (!status.ok()) return Fault(absl::StrCat(path, " does not exist"), rules.remedy);
  if (rules.owner && status->st_uid != *rules.owner) {
    const std::string wanted = NameOf(host, "/etc/passwd", *rules.owner);
    return Fault(absl::StrCat(path, " belongs to ", NameOf(host, "/etc/passwd", status->st_uid), ", not to ", wanted),
                 absl::StrCat("run \"chown ", wanted, " ", path, "\""));
  }
  if ((status->st_mode & rules.forbidden) != 0) {
    return Fault(absl::StrFormat("%s has mode %04o", path, status->st_mode & ALLPERMS),
                 absl::StrCat("run \"chmod ", rules.forbidden == kClosed ? "go=" : "go-w", " ", path,
                              "\", and find out who could have used it"));
  }
  return Fine(absl::StrFormat("%s has mode %04o", path, status->st_mode & ALLPERMS));
}

// Whether the modes let this user in; capabilities do not count.
bool MayRead(const struct stat& status, uid_t user, std::optional<gid_t> group) {
  if (user == 0) return true;
  if (status.st_uid == user) return (status.st_mode & S_IRUSR) != 0;
  if (group && status.st_gid == *group) return (status.st_mode & S_IRGRP) != 0;
  return (status.st_mode & S_IROTH) != 0;
}

Finding CheckConfigMode(const Host& host, const std::string& path) {
  const auto status = StatusOf(host.At(path));
  if (!status.ok()) return Hidden(path);
  if ((status->st_mode & S_IWOTH) != 0) {
    return Fault(absl::StrCat(path, " may be changed by everybody"), absl::StrCat("run \"chmod o-w ", path, "\""));
  }
  const std::optional<uid_t> agent = AgentUser(host);
  if (agent && !MayRead(*status, *agent, NumberOf(host, "/etc/group", "volcrypt"))) {
    return Fault(absl::StrCat(path, " is not readable by volcryptd"),
                 absl::StrCat("run \"chgrp volcrypt ", path, " && chmod g+r ", path, "\""));
  }
  return Fine(absl::StrCat(path, " was read"));
}

constexpr const char* kCheckConfig = "run \"volcryptd --check-config\", which names each mistake";

// Of "FILE:LINE: KEY: WHAT" all but WHAT, which may quote what is not to be shown.
std::string PlaceOf(absl::string_view error) {
  const std::vector<absl::string_view> parts = absl::StrSplit(error, absl::MaxSplits(": ", 2));
  const bool has_key =
      parts.size() == 3 && std::ranges::all_of(parts[1], [](char letter) {
        return absl::ascii_isalnum(static_cast<unsigned char>(letter)) || absl::StrContains("_.-[]", letter);
      });
  return has_key ? absl::StrCat(parts[0], ": ", parts[1]) : std::string(parts[0]);
}

void CheckSettings(const absl::StatusOr<std::string>& errors, Findings& findings) {
  if (!errors.ok()) {
    findings.push_back(Warning(absl::StrCat("settings and volumes.d were not checked: ", errors.status().message()),
                               "run \"volcryptd --check-config\" as root"));
    return;
  }
  for (const absl::string_view error : absl::StrSplit(*errors, '\n', absl::SkipEmpty())) {
    findings.push_back(Fault(absl::StrCat(PlaceOf(error), " is wrong"),
                             absl::StrCat(kCheckConfig, "; once it finds none, \"systemctl reload volcryptd\"")));
  }
}

void CheckStore(const Host& host, const ConfigFile::Store& store, Findings& findings) {
  const std::optional<uid_t> agent = AgentUser(host);
  findings.push_back(CheckPath(host, store.path,
                               {.owner = agent,
                                .remedy = "start volcryptd, which makes an empty store, or restore the backup of the "
                                          "old one first"}));
  if (absl::StartsWith(store.kek_file, "credential:")) return;
  const bool is_beside = store.kek_file.empty();
  const std::string kek = is_beside ? absl::StrCat(absl::StripSuffix(store.path, ".db"), ".kek") : store.kek_file;
  // The key may well be a credential, which is not to be seen from here.
  if (is_beside && absl::IsNotFound(StatusOf(host.At(kek)).status())) return;
  findings.push_back(
      CheckPath(host, kek, {.owner = agent, .remedy = "restore the key-encryption key from its backup"}));
}

}  // namespace

Findings CheckDirectories(const Examination& examination) {
  constexpr const char* kTmpfiles = "run \"systemd-tmpfiles --create\" and restart volcrypt-helper";
  const Host& host = examination.host;
  return {CheckPath(host, "/var/lib/volcrypt",
                    {.owner = AgentUser(host), .remedy = "restart volcryptd, whose unit makes it"}),
          CheckPath(host, "/var/lib/volcrypt-helper",
                    {.owner = 0, .remedy = "restart volcrypt-helper, whose unit makes it"}),
          CheckPath(host, "/run/volcrypt-helper/locks", {.owner = 0, .remedy = kTmpfiles}),
          CheckPath(host, "/run/volcrypt", {.forbidden = kNotWritable, .remedy = kTmpfiles})};
}

Findings CheckConfiguration(const Examination& examination) {
  const absl::StatusOr<ConfigFile>& config = examination.config;
  if (absl::IsPermissionDenied(config.status())) return {Hidden(examination.config_path)};
  if (!config.ok()) {
    return {Fault(std::string(config.status().message()), kCheckConfig)};
  }
  Findings findings;
  for (const std::string& file : config->files) findings.push_back(CheckConfigMode(examination.host, file));
  if (findings.empty()) findings.push_back(Fine(absl::StrCat("no ", examination.config_path, ": the defaults hold")));
  CheckSettings(examination.config_errors, findings);
  return findings;
}

Findings CheckKeyStore(const Examination& examination) {
  if (!examination.config.ok()) {
    return {Warning("not looked at: the configuration, which says where it is, could not be read",
                    "mend that first, or run volcryptctl doctor as root")};
  }
  Findings findings;
  for (const ConfigFile::Store& store : examination.config->stores) CheckStore(examination.host, store, findings);
  if (findings.empty()) findings.push_back(Fine("no key manager of type local is configured"));
  return findings;
}

}  // namespace volcrypt::ctl
