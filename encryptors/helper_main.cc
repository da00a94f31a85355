// volcrypt-helper: the privileged half of volcryptd.

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <exception>
#include <iostream>
#include <memory>
#include <utility>

#include "encryptors/helper.h"
#include "encryptors/helper_command_line.h"
#include "encryptors/listening_socket.h"
#include "encryptors/private_directory.h"
#include "encryptors/rehearsal.h"
#include "encryptors/volume_encryptor.h"
#include "encryptors/warm_up.h"
#include "google/protobuf/stubs/logging.h"

namespace volcrypt {
namespace {

constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;

// A first use takes two operations, one right after the other.
constexpr size_t kSpares = 2;

// Keys pass through the workers' memory, and they inherit all of this.
absl::Status ProtectProcess() {
  umask(0077);
  const rlimit no_core = {.rlim_cur = 0, .rlim_max = 0};
  if (setrlimit(RLIMIT_CORE, &no_core) != 0 || prctl(PR_SET_DUMPABLE, 0) != 0) {
    return absl::InternalError("core files cannot be turned off");
  }
  return absl::OkStatus();
}

absl::StatusOr<ListeningSocket> Listen(const HelperCommandLine& command_line) {
  if (command_line.fd) return ListeningSocket::Adopt(*command_line.fd);
  if (!command_line.socket_path.empty()) {
    return ListeningSocket::Create(command_line.socket_path, command_line.peer_uid);
  }
  absl::StatusOr<ListeningSocket> passed = ListeningSocket::FromSystemd();
  if (!absl::IsNotFound(passed.status())) return passed;
  return absl::InvalidArgumentError(
      "where to listen? give --socket PATH or --fd N, or start it by a systemd socket unit");
}

absl::Status Serve(const HelperCommandLine& command_line) {
  if (geteuid() != 0) return absl::FailedPreconditionError("must run as root: it opens devices and makes mappings");
  if (absl::Status status = ProtectProcess(); !status.ok()) return status;
  // Protobuf would report malformed requests on the starter's standard error.
  google::protobuf::SetLogHandler(nullptr);
  if (absl::Status status = EnsurePrivateDirectory(command_line.state_dir); !status.ok()) return status;
  if (absl::Status status = EnsurePrivateDirectory(command_line.lock_dir); !status.ok()) return status;
  absl::StatusOr<ListeningSocket> listener = Listen(command_line);
  if (!listener.ok()) return listener.status();
  const WarmUp warm_up;

  const VolumeEncryptorOptions volumes = {.state_dir = command_line.state_dir,
                                          .lock_dir = command_line.lock_dir,
                                          .device_prefixes = command_line.device_prefixes};
  Helper helper({.peer_uid = command_line.peer_uid,
                 .spares = kSpares,
                 .prepare_worker =
                     [&warm_up, &volumes] {
                       warm_up.Repeat();
                       VolumeEncryptor encryptor(volumes, [] { return false; });
                       RehearseOperation(encryptor);
                     },
                 .make_encryptor =
                     [volumes](PeerHasGoneFunction peer_has_gone) {
                       return std::make_unique<VolumeEncryptor>(volumes, std::move(peer_has_gone));
                     }},
                *std::move(listener));
  return helper.Run();
}

int Main(int argc, char** argv) {
  const absl::StatusOr<HelperCommandLine> command_line = ParseHelperCommandLine(argc, argv);
  absl::Status status = command_line.status();
  if (status.ok()) {
    if (command_line->help) return fputs(HelperUsage().c_str(), stdout) < 0 ? kExitFailed : 0;
    if (command_line->version) return puts("volcrypt-helper " VOLCRYPT_VERSION) < 0 ? kExitFailed : 0;
    status = Serve(*command_line);
  }
  if (status.ok()) return 0;
  std::cerr << "volcrypt-helper: " << status.message() << "\n";
  if (!absl::IsInvalidArgument(status)) return kExitFailed;
  std::cerr << "Try --help.\n";
  return kExitUsage;
}

}  // namespace
}  // namespace volcrypt

int main(int argc, char** argv) {
  try {
    return volcrypt::Main(argc, argv);
  } catch (const std::exception& exception) {
    std::cerr << "volcrypt-helper: " << exception.what() << "\n";
    return 1;
  }
}
