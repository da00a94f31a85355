// The privileged end of the protocol, fed with anything: two frames as they would come from a taken-over agent.
// Whatever comes, the worker must answer with a reply that the client's side understands, or with nothing.
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "absl/time/clock.h"
#include "encryptors/frame.h"
#include "encryptors/request_validation.h"
#include "encryptors/unique_fd.h"
#include "encryptors/wire.h"
#include "encryptors/worker.h"
#include "helper.pb.h"

namespace {

void Demand(bool condition) {
  if (!condition) abort();
}

// Accepts only what validation promises, and answers with the request's own texts, so that they travel back too.
class EchoEncryptor : public volcrypt::Encryptor {
 public:
  absl::StatusOr<volcrypt::AttachResult> Attach(const volcrypt::AttachRequest& request, const volcrypt::Key* key,
                                                absl::Time deadline) override {
    Demand(volcrypt::Validate(request).ok() && deadline > absl::Now() - absl::Minutes(1));
    Demand(key == nullptr || !key->bytes.IsEmpty());
    return volcrypt::AttachResult{.mapping = {.volume_id = request.volume_id,
                                              .device = request.device,
                                              .encryption = request.encryption,
                                              .key = request.key},
                                  .warnings = request.allowed_ciphers};
  }
  absl::StatusOr<volcrypt::DetachResult> Detach(const volcrypt::DetachRequest& request, absl::Time) override {
    Demand(request.volume_id.empty() != request.device.empty());
    return volcrypt::DetachResult{.volume_id = request.volume_id};
  }
  absl::StatusOr<volcrypt::ExtendResult> Extend(const volcrypt::ExtendRequest& request, const volcrypt::Key*,
                                                absl::Time) override {
    return volcrypt::ExtendResult{.mapping = {.volume_id = request.volume_id}};
  }
  absl::StatusOr<volcrypt::Inspection> Inspect(const std::string& device, absl::Time) override {
    Demand(device.starts_with('/'));
    return volcrypt::Inspection{.device = device};
  }
  absl::StatusOr<volcrypt::Mapping> Query(const std::string& volume_id, absl::Time) override {
    Demand(volcrypt::ValidateVolumeId(volume_id).ok());
    return volcrypt::Mapping{.volume_id = volume_id};
  }
  absl::Status Forget(const std::string& volume_id, absl::Time) override {
    Demand(volcrypt::ValidateVolumeId(volume_id).ok());
    return absl::OkStatus();
  }
};

void DemandUnderstandable(const std::string& frame) {
  volcrypt::helper::Reply reply;
  Demand(reply.ParseFromString(frame));
  Demand(reply.result_case() != volcrypt::helper::Reply::RESULT_NOT_SET);
  Demand(!reply.has_error() || !volcrypt::FromWire(reply.error()).ok());
  Demand(!reply.has_attach() || volcrypt::FromWire(reply.attach()).ok());
  Demand(!reply.has_extend() || volcrypt::FromWire(reply.extend()).ok());
  Demand(!reply.has_inspect() || volcrypt::FromWire(reply.inspect()).ok());
  Demand(!reply.has_query() || volcrypt::FromWire(reply.query()).ok());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // More would not fit into the socket's buffer, and nobody reads while we write.
  size = std::min(size, volcrypt::kMaxFrameBytes);
  std::array<int, 2> fds = {-1, -1};
  Demand(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()) == 0);
  const volcrypt::UniqueFd peer(fds[0]);
  volcrypt::UniqueFd worker(fds[1]);
  Demand(size == 0 || send(peer.Get(), data, size, MSG_DONTWAIT | MSG_NOSIGNAL) == static_cast<ssize_t>(size));
  shutdown(peer.Get(), SHUT_WR);

  EchoEncryptor encryptor;
  volcrypt::ServeOperation(worker.Get(), encryptor);
  worker.Reset();
  const absl::StatusOr<std::string> frame = volcrypt::ReadFrame(peer.Get(), absl::Now() + absl::Seconds(1));
  if (frame.ok()) DemandUnderstandable(*frame);
  return 0;
}
