#include "agent/daemon.h"

#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "agent/config_values.h"
#include "agent/helper_probe.h"
#include "agent/host_name.h"
#include "agent/keys/key_manager_factory.h"
#include "agent/libvirt/libvirt_library.h"
#include "agent/libvirt/libvirt_secrets.h"
#include "agent/metrics/observed_key_manager.h"
#include "agent/reload.h"
#include "agent/rpc/grpc_log.h"
#include "agent/rpc/server_tls.h"

namespace volcrypt {
namespace {

// How many operations may wait for each that may run.
constexpr uint32_t kWaitingPerRunning = 4;
constexpr absl::Duration kProbeInterval = absl::Seconds(5);
// A helper that systemd has just started may need a moment.
constexpr absl::Duration kProbeTimeout = absl::Seconds(5);
constexpr absl::Duration kProbeIntervalWhileAway = absl::Seconds(1);
// Operations end by their own deadlines; this is for what comes after that.
constexpr absl::Duration kShutdownMargin = absl::Seconds(5);
// And for what systemd sees of it: the last answers, and the end of the process.
constexpr absl::Duration kExitMargin = absl::Seconds(10);

std::string CredentialsDirectory() {
  const char* const directory = std::getenv("CREDENTIALS_DIRECTORY");
  return directory == nullptr ? std::string() : std::string(directory);
}

void WarnAll(const Log& log, const std::vector<std::string>& warnings) {
  for (const std::string& warning : warnings) log.Write(LogLevel::kWarning, warning);
}

// HOST:PORT of everything that listens on TCP.
std::vector<std::string> TcpAddresses(const ServerConfig& server) {
  std::vector<std::string> addresses;
  for (absl::string_view endpoint : server.listen) {
    if (absl::ConsumePrefix(&endpoint, kTcpPrefix)) addresses.emplace_back(endpoint);
  }
  return addresses;
}

absl::StatusOr<RpcServerOptions> ServerOptions(const ServerConfig& server) {
  RpcServerOptions options = {.operation_timeout = server.operation_timeout,
                              .max_operations = server.max_operations,
                              .max_waiting = kWaitingPerRunning * server.max_operations,
                              .max_calls_per_caller = server.max_calls_per_caller,
                              .tcp = TcpAddresses(server),
                              .tcp_credentials = nullptr};
  if (options.tcp.empty()) return options;
  absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> credentials =
      MakeServerCredentials(server.tls, CredentialsDirectory());
  if (!credentials.ok()) return credentials.status();
  options.tcp_credentials = *std::move(credentials);
  return options;
}

std::vector<std::string> NamesOf(const KeyManagers& key_managers) {
  std::vector<std::string> names;
  for (const auto& [name, entry] : key_managers.Entries()) names.push_back(name);
  return names;
}

std::unique_ptr<VolumeSecrets> OpenSecrets(const LibvirtConfig& config) {
  if (config.uri.empty()) return nullptr;
  return std::make_unique<LibvirtSecrets>(
      config.uri, config.persistent ? LibvirtSecrets::Lifetime::kPersistent : LibvirtSecrets::Lifetime::kEphemeral);
}

void NotifyReloading() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  const int64_t microseconds = absl::ToInt64Microseconds(absl::DurationFromTimespec(now));
  sd_notify(0, absl::StrCat("RELOADING=1\nMONOTONIC_USEC=", microseconds).c_str());
}

void NotifyStopping(absl::Duration takes) {
  // As long as an operation may take, whatever the unit says.
  sd_notify(0, absl::StrCat("STOPPING=1\nSTATUS=Running operations finish\nEXTEND_TIMEOUT_USEC=",
                            absl::ToInt64Microseconds(takes))
                   .c_str());
}

void NotifyHelper(bool present) {
  sd_notify(0, present ? "STATUS=Serving" : "STATUS=volcrypt-helper is away: nothing can be attached or detached");
}

}  // namespace

absl::StatusOr<std::unique_ptr<Daemon>> Daemon::Start(Config config, DaemonOptions options,
                                                      std::vector<ApiSocket> sockets, Log& log) {
  absl::StatusOr<KeyManagersResult> opened = OpenKeyManagers(config.key_managers, CredentialsDirectory());
  if (!opened.ok()) return opened.status();
  WarnAll(log, opened->warnings);
  auto rules = std::make_shared<const AccessRules>(config.access, geteuid());
  WarnAll(log, rules->Warnings());
  const HostName host = ReadHostName();
  if (!host.has_machine_id) {
    log.Write(LogLevel::kWarning,
              "this host has no /etc/machine-id (systemd-machine-id-setup makes one): a first use that a reboot "
              "interrupts will not be continued");
  }
  std::vector<std::string> names;
  names.reserve(sockets.size());
  for (const ApiSocket& socket : sockets) names.push_back(socket.Name());

  if (!config.libvirt.uri.empty()) {
    if (absl::Status loaded = LoadLibvirt(); !loaded.ok()) return loaded;
  }

  // The constructor is private, which std::make_unique cannot reach.
  std::unique_ptr<Daemon> daemon(new Daemon(std::move(config), std::move(options), std::move(opened->key_managers),
                                            std::move(rules), host.name, log));
  if (const std::string& address = daemon->config_.metrics.listen; !address.empty()) {
    if (absl::Status listening = daemon->metrics_.Listen(address); !listening.ok()) return listening;
  }
  if (absl::Status found = daemon->audit_.File().Open(daemon->config_.audit.file); !found.ok()) return found;
  TakeGrpcLog(log);
  const absl::StatusOr<RpcServerOptions> server = ServerOptions(daemon->config_.server);
  if (!server.ok()) return server.status();
  // Before anybody can ask: a volume that is to come is never said to be nobody's.
  daemon->ReadBootVolumes();
  absl::StatusOr<std::unique_ptr<RpcServer>> started =
      RpcServer::Start(*server, std::move(sockets), daemon->attacher_, daemon->key_managers_, daemon->access_,
                       {.log = log, .observer = daemon->metrics_, .audit = daemon->audit_});
  if (!started.ok()) return started.status();
  for (const std::string& address : server->tcp) names.push_back(absl::StrCat(kTcpPrefix, address));
  daemon->server_ = *std::move(started);
  daemon->ProbeHelper();
  daemon->boot_attacher_.Begin();
  log.Write(LogLevel::kInfo, "volcryptd is ready",
            {{"version", VOLCRYPT_VERSION}, {"listen", absl::StrJoin(names, " ")}, {"host", host.name}});
  return daemon;
}

Daemon::Daemon(Config config, DaemonOptions options, KeyManagers key_managers, std::shared_ptr<const AccessRules> rules,
               const std::string& host, Log& log)
    : config_(std::move(config)),
      options_(std::move(options)),
      log_(log),
      slots_(config_.server.max_operations, kWaitingPerRunning * config_.server.max_operations),
      metrics_({.mappings = mappings_,
                .slots = slots_,
                .left_workers = left_workers_,
                .pending_volumes = pending_volumes_,
                .max_operations = config_.server.max_operations,
                .key_managers = NamesOf(key_managers)}),
      audit_(log, metrics_),
      key_managers_(Observed(std::move(key_managers), metrics_)),
      helper_(options_.helper_socket, &left_workers_),
      probed_helper_(options_.helper_socket),
      encryptor_(helper_, metrics_),
      access_(std::move(rules)),
      secrets_(OpenSecrets(config_.libvirt)),
      attacher_(encryptor_, key_managers_, mappings_, pending_volumes_, slots_, config_.volumes, host, secrets_.get(),
                SecretRecords(config_.libvirt.records, BootId())),
      boot_attacher_(
          {.attacher = attacher_, .pending = pending_volumes_, .log = log_, .observer = metrics_, .audit = audit_},
          {.attempt_timeout = config_.server.operation_timeout}) {
  SecretRecords(config_.libvirt.records, BootId()).RemoveThoseOfOtherBoots();
}

int Daemon::Run(const Signals& signals) {
  NotifyHelper(helper_present_);
  sd_notify(0, "READY=1");
  for (;;) {
    FeedWatchdog();
    const absl::Duration pause = helper_present_ ? kProbeInterval : kProbeIntervalWhileAway;
    const std::optional<int> signal = signals.Wait(std::min(pause, watchdog_.Pause()));
    if (signal && (*signal == SIGTERM || *signal == SIGINT)) return Stop(EXIT_SUCCESS);
    if (signal == SIGHUP) Reload();
    if (OwnHelperEnded()) {
      log_.Write(LogLevel::kError, "volcrypt-helper has ended, and only root could start another: ending too");
      return Stop(EXIT_FAILURE);
    }
    ProbeHelper();
    RemoveLeftSecrets();
  }
}

bool Daemon::OwnHelperEnded() const {
  return options_.helper_pid && waitpid(*options_.helper_pid, nullptr, WNOHANG) == *options_.helper_pid;
}

// A volume whose file is wrong must not keep the compute service's from being attached.
void Daemon::ReadBootVolumes() {
  BootVolumes boot = LoadBootVolumes(BootVolumesDirectory(options_.config_path));
  for (const ConfigError& error : boot.errors) log_.Write(LogLevel::kError, ToString(error));
  boot_attacher_.SetVolumes(std::move(boot));
}

void Daemon::ProbeHelper() {
  const absl::Status answer = volcrypt::ProbeHelper(probed_helper_, absl::Now() + kProbeTimeout);
  const bool present = answer.ok();
  if (present == helper_present_) return;
  helper_present_ = present;
  metrics_.HelperSeen(present);
  server_->SetHelperPresent(present);
  NotifyHelper(present);
  if (present) {
    log_.Write(LogLevel::kInfo, "volcrypt-helper is back");
  } else {
    log_.Write(LogLevel::kWarning, "volcrypt-helper is away",
               {{"socket", options_.helper_socket}, {"error", std::string(answer.message())}});
  }
}

void Daemon::FeedWatchdog() {
  const absl::Status alive = watchdog_.Feed([this](absl::Duration timeout) { return server_->CallSelf(timeout); });
  if (alive.ok()) return;
  log_.Write(LogLevel::kError, "volcryptd does not answer its own call, so it would answer nobody's",
             {{"error", std::string(alive.message())}});
}

// Of volumes that were detached while libvirt was away.
void Daemon::RemoveLeftSecrets() {
  const absl::Status removed = attacher_.RemoveLeftSecrets(absl::Now() + kProbeInterval);
  if (removed.ok() == !secrets_left_) return;
  secrets_left_ = !removed.ok();
  if (removed.ok()) {
    log_.Write(LogLevel::kInfo, "libvirt secrets that were left behind are removed");
  } else {
    log_.Write(LogLevel::kWarning, absl::StrCat("libvirt secrets are left behind: ", std::string(removed.message())));
  }
}

// Whoever rotates files sends SIGHUP, and does not look at the configuration.
bool Daemon::ReopenAudit(const ConfigResult& fresh) {
  const absl::Status opened =
      fresh.errors.empty() ? audit_.File().Open(fresh.config.audit.file) : audit_.File().Reopen();
  if (opened.ok()) return true;
  log_.Write(LogLevel::kError, "the audit goes on in the file that it had", {{"error", std::string(opened.message())}});
  return false;
}

void Daemon::Reload() {
  NotifyReloading();
  ConfigResult fresh = LoadConfig(options_.config_path, options_.config_must_exist);
  for (const ConfigError& error : fresh.errors) log_.Write(LogLevel::kError, ToString(error));
  // Neither waits for the configuration: a file that was moved away must not be written to, and a volume is described
  // in a file of its own.
  const bool audit_reopened = ReopenAudit(fresh);
  ReadBootVolumes();
  if (!fresh.errors.empty()) {
    log_.Write(LogLevel::kError,
               "the configuration has errors, so the old one stays in force; volumes.d was read again");
  } else {
    auto rules = std::make_shared<const AccessRules>(fresh.config.access, geteuid());
    WarnAll(log_, rules->Warnings());
    access_.Set(std::move(rules));
    log_.SetLevel(ParseLogLevel(fresh.config.log.level).value_or(LogLevel::kInfo));
    for (const std::string& name : NeedRestart(config_, fresh.config)) {
      log_.Write(LogLevel::kWarning, absl::StrCat(name, " has changed, which takes effect after a restart"));
    }
    log_.Write(LogLevel::kInfo, audit_reopened
                                    ? "access rules, log level, audit file and volumes.d were read again"
                                    : "access rules, log level and volumes.d were read again, the audit file was not");
  }
  sd_notify(0, "READY=1");
}

int Daemon::Stop(int status) {
  const absl::Duration patience = config_.server.operation_timeout + kShutdownMargin;
  NotifyStopping(patience + kExitMargin);
  server_->RefuseCalls();
  log_.Write(LogLevel::kInfo, "ending: running operations finish, new ones are refused");
  boot_attacher_.RequestStop();
  if (!server_->Shutdown(absl::Now() + patience)) {
    log_.Write(LogLevel::kError, "operations did not end by their deadlines; ending without them");
    // Their threads still use everything that an orderly end would destroy.
    std::_Exit(status);
  }
  boot_attacher_.Stop();
  return status;
}

}  // namespace volcrypt
