#include "encryptors/helper_command_line.h"

#include <getopt.h>
#include <pwd.h>

#include <array>
#include <cstdio>
#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace volcrypt {
namespace {

enum OptionCode { kSocket = 1, kFd, kPeerUid, kState, kLockDir, kDevicePrefix, kHelp, kVersion };

constexpr std::array<option, 9> kOptions = {{
    {"socket", required_argument, nullptr, kSocket},
    {"fd", required_argument, nullptr, kFd},
    {"peer-uid", required_argument, nullptr, kPeerUid},
    {"state", required_argument, nullptr, kState},
    {"lock-dir", required_argument, nullptr, kLockDir},
    {"device-prefix", required_argument, nullptr, kDevicePrefix},
    {"help", no_argument, nullptr, kHelp},
    {"version", no_argument, nullptr, kVersion},
    {nullptr, 0, nullptr, 0},
}};

absl::Status Wrong(absl::string_view option, absl::string_view value, absl::string_view demand) {
  return absl::InvalidArgumentError(absl::StrCat("--", option, " ", value, ": ", demand));
}

// The passwd file itself, not getpwnam(): name service modules have no place in a privileged process.
absl::StatusOr<uid_t> UidOf(const std::string& user, const std::string& passwd_file) {
  uint32_t number = 0;
  if (absl::SimpleAtoi(user, &number) && number != UINT32_MAX) return number;
  const std::unique_ptr<FILE, int (*)(FILE*)> file(fopen(passwd_file.c_str(), "re"), fclose);
  while (file != nullptr) {
    const passwd* const entry = fgetpwent(file.get());
    if (entry == nullptr) break;
    if (user == entry->pw_name) return entry->pw_uid;
  }
  return Wrong("peer-uid", user, absl::StrCat("neither a user id nor a name in ", passwd_file));
}

absl::StatusOr<std::string> AbsolutePath(absl::string_view option, absl::string_view value) {
  if (!absl::StartsWith(value, "/")) return Wrong(option, value, "must be an absolute path");
  while (value.size() > 1 && absl::ConsumeSuffix(&value, "/")) {
  }
  return std::string(value);
}

absl::Status TakePath(absl::string_view option, const char* value, std::string& path) {
  absl::StatusOr<std::string> taken = AbsolutePath(option, value);
  if (!taken.ok()) return taken.status();
  path = *std::move(taken);
  return absl::OkStatus();
}

absl::Status TakeFd(const char* value, HelperCommandLine& command_line) {
  int fd = 0;
  if (!absl::SimpleAtoi(value, &fd) || fd < 0) return Wrong("fd", value, "must be the number of a file descriptor");
  command_line.fd = fd;
  return absl::OkStatus();
}

absl::Status TakePeer(const char* value, const std::string& passwd_file, HelperCommandLine& command_line) {
  const absl::StatusOr<uid_t> uid = UidOf(value, passwd_file);
  if (uid.ok()) command_line.peer_uid = *uid;
  return uid.status();
}

absl::Status TakePrefix(const char* value, HelperCommandLine& command_line) {
  const absl::StatusOr<std::string> prefix = AbsolutePath("device-prefix", value);
  if (prefix.ok()) command_line.device_prefixes.push_back(*prefix == "/" ? "/" : absl::StrCat(*prefix, "/"));
  return prefix.status();
}

absl::Status Take(int code, const char* value, const std::string& passwd_file, HelperCommandLine& command_line) {
  switch (code) {
    case kSocket:
      return TakePath("socket", value, command_line.socket_path);
    case kFd:
      return TakeFd(value, command_line);
    case kPeerUid:
      return TakePeer(value, passwd_file, command_line);
    case kState:
      return TakePath("state", value, command_line.state_dir);
    case kLockDir:
      return TakePath("lock-dir", value, command_line.lock_dir);
    case kDevicePrefix:
      return TakePrefix(value, command_line);
    case kHelp:
      command_line.help = true;
      return absl::OkStatus();
    case kVersion:
      command_line.version = true;
      return absl::OkStatus();
    default:
      return absl::InternalError("unknown option code");
  }
}

}  // namespace

absl::StatusOr<HelperCommandLine> ParseHelperCommandLine(int argc, char** argv, const std::string& passwd_file) {
  HelperCommandLine command_line;
  optind = 0;  // so that it can be called again
  while (true) {
    const int before = optind == 0 ? 1 : optind;
    // ":": we write the messages. "+": what is no option ends the options.
    const int code = getopt_long(argc, argv, "+:", kOptions.data(), nullptr);
    if (code == -1) break;
    if (code == '?') return absl::InvalidArgumentError(absl::StrCat("unknown option ", argv[before]));
    if (code == ':') return absl::InvalidArgumentError(absl::StrCat(argv[before], " needs a value"));
    if (absl::Status status = Take(code, optarg, passwd_file, command_line); !status.ok()) return status;
  }
  if (optind < argc) return absl::InvalidArgumentError(absl::StrCat("unexpected argument ", argv[optind]));
  if (!command_line.socket_path.empty() && command_line.fd.has_value()) {
    return absl::InvalidArgumentError("--socket and --fd exclude each other");
  }
  if (command_line.device_prefixes.empty()) command_line.device_prefixes = {"/dev/"};
  return command_line;
}

std::string HelperUsage() {
  return R"(usage: volcrypt-helper (--socket PATH | --fd N) [OPTION]...

The privileged half of volcryptd: opens, formats and closes encrypted volumes for it. Runs as root.

  --socket PATH         listen at PATH, created 0600 for the user of --peer-uid
  --fd N                listen on the inherited socket N
                        (neither: the one that systemd passed)
  --peer-uid UID        user, by number or name, whose programs may connect besides root's (default: root alone)
  --state DIR           durable records of volumes (default: /var/lib/volcrypt-helper)
  --lock-dir DIR        lock files (default: /run/volcrypt-helper/locks)
  --device-prefix DIR   where devices and volume files may lie; may be repeated (default: /dev/)
  --help                print this and exit
  --version             print the version and exit

SIGTERM: accepts nothing more, lets running operations finish, exits. SIGUSR1: exits, and they finish without it.
Example: volcrypt-helper --socket /run/volcrypt-helper/helper.sock --peer-uid volcrypt
)";
}

}  // namespace volcrypt
