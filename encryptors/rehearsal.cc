#include "encryptors/rehearsal.h"

#include <sys/socket.h>
#include <unistd.h>

#include <array>

#include "absl/strings/str_cat.h"

#include "encryptors/frame.h"
#include "encryptors/unique_fd.h"
#include "encryptors/wire.h"
#include "encryptors/worker.h"
#include "helper.pb.h"

namespace volcrypt {
namespace {

// Locks only itself: no volume has a reason to be called so. A few names, so that spares which are made together do not
// find each other's lock, and few, because lock files stay.
constexpr char kNoVolume[] = "volcrypt-rehearsal-";
constexpr pid_t kNames = 4;
constexpr absl::Duration kTimeout = absl::Seconds(1);

}  // namespace

void RehearseOperation(Encryptor& encryptor) {
  std::array<int, 2> ends = {-1, -1};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) return;
  const UniqueFd caller(ends[0]);
  const UniqueFd worker(ends[1]);
  helper::Request request;
  *request.mutable_attach() = ToWire(
      AttachRequest{.volume_id = absl::StrCat(kNoVolume, getpid() % kNames), .device = "/dev/null", .read_only = true});
  request.set_timeout_ms(static_cast<uint32_t>(absl::ToInt64Milliseconds(kTimeout)));
  const absl::Time deadline = absl::Now() + kTimeout;
  if (!WriteFrame(caller.Get(), request.SerializeAsString(), deadline).ok()) return;
  if (!WriteSecretFrame(caller.Get(), SecretBytes(), deadline).ok()) return;
  ServeOperation(worker.Get(), encryptor, {.request = kTimeout, .reply = kTimeout});
}

}  // namespace volcrypt
