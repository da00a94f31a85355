// volcryptd: the agent. See docs/architecture.md for how it and volcrypt-helper divide the work.

#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "agent/audit_file.h"
#include "agent/boot_volumes.h"
#include "agent/command_line.h"
#include "agent/config.h"
#include "agent/config_result.h"
#include "agent/config_values.h"
#include "agent/daemon.h"
#include "agent/keys/wiping_allocator.h"
#include "agent/log.h"
#include "agent/privileges.h"
#include "agent/secret_file_check.h"
#include "agent/signals.h"
#include "agent/spawn_helper.h"

namespace volcrypt {
namespace {

constexpr const char* kUser = "volcrypt";
constexpr const char* kRuntimeDirectory = "/run/volcrypt";
constexpr const char* kStateDirectory = "/var/lib/volcrypt";
constexpr const char* kLogDirectory = "/var/log/volcrypt";

void PrintErrors(const ConfigResult& config) {
  for (const ConfigError& error : config.errors) static_cast<void>(fprintf(stderr, "%s\n", ToString(error).c_str()));
}

// With a helper to start we end as the user volcrypt, where there is one; else as whoever started us.
Account FutureAccount(const CommandLine& line) {
  const Account self = {.name = "the current user", .uid = geteuid(), .gid = getegid(), .groups = {}};
  return line.spawn_helper ? FindAccount(kUser).value_or(self) : self;
}

// The directory of the default may be missing until the first start, which makes it.
void CheckAuditFile(ConfigResult& config) {
  const std::filesystem::path file = config.config.audit.file;
  std::error_code unknown;
  if (file.empty() || (file.parent_path() == kLogDirectory && !std::filesystem::exists(kLogDirectory, unknown))) return;
  const absl::Status usable = AuditFile::Check(file);
  if (usable.ok()) return;
  const ConfigPlace& place = config.places["audit.file"];
  config.errors.push_back(
      {.file = place.file, .line = place.line, .key = "audit.file", .what = std::string(usable.message())});
}

// Whether a file may be read depends on who reads it: for root, who asks on the service's behalf, its user does.
int CheckConfig(ConfigResult config, const std::string& config_path) {
  const std::optional<Account> user = geteuid() == 0 ? FindAccount(kUser) : std::nullopt;
  const absl::Status acting = user ? BecomeAccount(*user) : absl::OkStatus();
  if (!acting.ok()) {
    static_cast<void>(
        fprintf(stderr, "cannot check as the user %s: %s\n", kUser, std::string(acting.message()).c_str()));
    return EXIT_FAILURE;
  }
  const char* const credentials = std::getenv("CREDENTIALS_DIRECTORY");
  const SecretFileFindings files = CheckSecretFiles(config, credentials == nullptr ? "" : credentials);
  config.errors.insert(config.errors.end(), files.errors.begin(), files.errors.end());
  CheckAuditFile(config);
  const BootVolumes boot = LoadBootVolumes(BootVolumesDirectory(config_path));
  config.errors.insert(config.errors.end(), boot.errors.begin(), boot.errors.end());
  PrintErrors(config);
  for (const std::string& note : files.notes) printf("note: %s\n", note.c_str());
  if (!config.errors.empty()) return EXIT_FAILURE;
  puts("configuration OK");
  return EXIT_SUCCESS;
}

// The directories of the defaults exist where the package made them; here is for a start by hand as root.
absl::Status PrepareDirectories(const Config& config, const Account& owner) {
  if (geteuid() != 0) return absl::OkStatus();
  if (absl::Status status = PrepareDirectory(kRuntimeDirectory, 0755, owner); !status.ok()) return status;
  if (!config.libvirt.uri.empty() && std::filesystem::path(config.libvirt.records).parent_path() == kStateDirectory) {
    if (absl::Status status = PrepareDirectory(kStateDirectory, 0700, owner); !status.ok()) return status;
  }
  if (std::filesystem::path(config.audit.file).parent_path() == kLogDirectory) {
    if (absl::Status status = PrepareDirectory(kLogDirectory, 0700, owner); !status.ok()) return status;
  }
  for (const auto& [name, section] : config.key_managers.sections) {
    const auto* const local = std::get_if<LocalKeyManagerConfig>(&section);
    if (local == nullptr || std::filesystem::path(local->path).parent_path() != kStateDirectory) continue;
    if (absl::Status status = PrepareDirectory(kStateDirectory, 0700, owner); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::StatusOr<SpawnedHelper> SpawnHelper(const CommandLine& line, const Config& config, const Account& peer) {
  if (geteuid() != 0) return absl::FailedPreconditionError("--spawn-helper needs root");
  absl::StatusOr<std::string> program = FindHelperProgram();
  if (!program.ok()) return program.status();
  const char* const temporary = std::getenv("TMPDIR");
  return SpawnedHelper::Start({.program = *std::move(program),
                               .parent_directory = temporary == nullptr ? kRuntimeDirectory : temporary,
                               .peer = peer,
                               .state_dir = line.helper_state,
                               .lock_dir = line.helper_lock_dir,
                               .device_prefixes = config.volumes.device_prefixes});
}

// The Unix sockets; the server itself listens on TCP.
absl::StatusOr<std::vector<ApiSocket>> Listen(std::vector<ApiSocket> passed, const ServerConfig& config,
                                              const Log& log) {
  if (!passed.empty()) {
    log.Write(LogLevel::kInfo,
              "listening on the sockets that systemd passed; the unix: ones of [server] listen are not used");
    return passed;
  }
  std::vector<ApiSocket> sockets;
  for (const std::string& endpoint : config.listen) {
    absl::string_view path = endpoint;
    if (!absl::ConsumePrefix(&path, kUnixPrefix)) continue;
    absl::StatusOr<ApiSocket> socket = ApiSocket::Bind(std::string(path));
    if (!socket.ok()) return socket.status();
    sockets.push_back(*std::move(socket));
  }
  return sockets;
}

absl::StatusOr<int> Serve(const CommandLine& line, const Config& config, Log& log) {
  const Signals signals;
  umask(S_IRWXG | S_IRWXO);
  absl::StatusOr<std::vector<ApiSocket>> passed = ApiSocket::FromSystemd();
  if (!passed.ok()) return passed.status();
  const Account account = FutureAccount(line);
  if (absl::Status status = PrepareDirectories(config, account); !status.ok()) return status;

  DaemonOptions options = {
      .config_path = line.config_path, .config_must_exist = line.config_named, .helper_socket = line.helper_socket};
  std::unique_ptr<SpawnedHelper> helper;
  if (line.spawn_helper) {
    absl::StatusOr<SpawnedHelper> spawned = SpawnHelper(line, config, account);
    if (!spawned.ok()) return spawned.status();
    helper = std::make_unique<SpawnedHelper>(*std::move(spawned));
    options.helper_socket = helper->SocketPath();
    options.helper_pid = helper->Pid();
    if (account.uid == 0) {
      log.Write(LogLevel::kWarning, absl::StrCat("there is no user ", kUser, " on this host: staying root"));
    } else if (absl::Status status = BecomeAccount(account); !status.ok()) {
      return status;
    }
  }
  if (absl::Status status = ForbidDumps(); !status.ok()) return status;

  absl::StatusOr<std::vector<ApiSocket>> sockets = Listen(*std::move(passed), config.server, log);
  if (!sockets.ok()) return sockets.status();
  const absl::StatusOr<std::unique_ptr<Daemon>> daemon =
      Daemon::Start(config, std::move(options), *std::move(sockets), log);
  if (!daemon.ok()) return daemon.status();
  return (*daemon)->Run(signals);
}

int Main(int argc, const char* const* argv) {
  const std::variant<CommandLine, ExitStatus> parsed = ParseCommandLine(argc, argv);
  if (const auto* const ended = std::get_if<ExitStatus>(&parsed)) return ended->status;
  const auto& line = std::get<CommandLine>(parsed);
  ConfigResult config = LoadConfig(line.config_path, line.config_named);
  if (line.check_config) return CheckConfig(std::move(config), line.config_path);
  PrintErrors(config);
  if (!config.errors.empty()) return EXIT_FAILURE;

  Log log(ParseLogLevel(config.config.log.level).value_or(LogLevel::kInfo));
  if (config.config.access.empty()) {
    log.Write(LogLevel::kWarning, "no [[access]] is configured: only root and this daemon's own user may call");
  }
  const absl::StatusOr<int> status = Serve(line, config.config, log);
  if (status.ok()) return *status;
  log.Write(LogLevel::kError, absl::StrCat("cannot start: ", std::string(status.status().message())));
  return EXIT_FAILURE;
}

}  // namespace
}  // namespace volcrypt

// Keys pass through OpenSSL, and it can be told this only before it is used: that is before the constructors of shared
// libraries run, since libvirt brings libssh, whose constructor uses it.
static bool wipes_freed_memory = false;
static void BeforeLibraries() { wipes_freed_memory = volcrypt::MakeOpenSslWipeFreedMemory(); }
[[gnu::section(".preinit_array"), gnu::used]] static void (*const kBeforeLibraries)() = BeforeLibraries;

int main(int argc, char** argv) {
  if (!wipes_freed_memory) {
    static_cast<void>(fprintf(stderr, "volcryptd: OpenSSL is in use already: what it frees cannot be wiped\n"));
    return EXIT_FAILURE;
  }
  try {
    return volcrypt::Main(argc, argv);
  } catch (const std::exception& error) {
    static_cast<void>(fprintf(stderr, "volcryptd: %s\n", error.what()));
    return EXIT_FAILURE;
  }
}
