#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/attacher.h"
#include "agent/audit.h"
#include "agent/boot_attacher.h"
#include "agent/config.h"
#include "agent/config_result.h"
#include "agent/current_access.h"
#include "agent/helper_client.h"
#include "agent/keys/key_managers.h"
#include "agent/libvirt/volume_secrets.h"
#include "agent/log.h"
#include "agent/mappings.h"
#include "agent/metrics/metrics.h"
#include "agent/metrics/observed_encryptor.h"
#include "agent/operation_slots.h"
#include "agent/rpc/api_socket.h"
#include "agent/rpc/server.h"
#include "agent/signals.h"
#include "agent/watchdog.h"

namespace volcrypt {

struct DaemonOptions {
  std::string config_path;
  bool config_must_exist = false;
  std::string helper_socket;
  std::optional<pid_t> helper_pid;  // of a helper that we started: without it there is nothing left to do
};

// volcryptd once it is the user that it stays: its parts, and what happens until it ends.
class Daemon {
 public:
  // `log` outlives the daemon. Serves when this returns.
  static absl::StatusOr<std::unique_ptr<Daemon>> Start(Config config, DaemonOptions options,
                                                       std::vector<ApiSocket> sockets, Log& log);

  // Until SIGTERM, SIGINT or the end of our own helper. Returns the exit status.
  int Run(const Signals& signals);

 private:
  Daemon(Config config, DaemonOptions options, KeyManagers key_managers, std::shared_ptr<const AccessRules> rules,
         const std::string& host, Log& log);
  bool OwnHelperEnded() const;
  void ReadBootVolumes();
  void ProbeHelper();
  void FeedWatchdog();
  void RemoveLeftSecrets();
  void Reload();
  bool ReopenAudit(const ConfigResult& fresh);  // false, and logged: it goes on in the file that it had
  int Stop(int status);

  Config config_;
  const DaemonOptions options_;
  Log& log_;
  const Mappings mappings_;
  OperationSlots slots_;
  LeftWorkers left_workers_;
  PendingVolumes pending_volumes_;
  Metrics metrics_;
  Audit audit_;
  const KeyManagers key_managers_;
  HelperClient helper_;
  HelperClient probed_helper_;  // a probe that gets no answer leaves no worker on a device
  ObservedEncryptor encryptor_;
  CurrentAccess access_;
  const std::unique_ptr<VolumeSecrets> secrets_;  // null: libvirt is off
  Attacher attacher_;
  BootAttacher boot_attacher_;
  std::unique_ptr<RpcServer> server_;
  bool helper_present_ = true;
  Watchdog watchdog_;
  bool secrets_left_ = false;
};

}  // namespace volcrypt
