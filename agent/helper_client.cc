#include "agent/helper_client.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "encryptors/frame.h"
#include "encryptors/reason.h"
#include "encryptors/unique_fd.h"
#include "encryptors/wire.h"

namespace volcrypt {
namespace {

// The helper accepts within microseconds; a full backlog for this long means that it hangs.
constexpr absl::Duration kConnectTimeout = absl::Seconds(5);
constexpr absl::Duration kLongestTimeout = absl::Hours(24);

absl::Status Unavailable(const std::string& socket_path, int error) {
  std::string remedy = "start volcrypt-helper";
  if (error == EACCES || error == EPERM) remedy = "start volcrypt-helper with this user as its --peer-uid";
  if (error == EAGAIN) remedy = "it is running but does not accept; restart volcrypt-helper";
  return MakeError(Reason::kHelperUnavailable,
                   absl::StrCat("cannot reach volcrypt-helper at ", socket_path, ": ", strerror(error), "; ", remedy),
                   {{"socket", socket_path}});
}

absl::Status TimedOut() {
  return MakeError(Reason::kDeviceTimedOut,
                   "the device did not answer in time; the work may still finish, repeat the call");
}

absl::Status WorkerFailed(const std::string& what) {
  return MakeError(Reason::kWorkerFailed, absl::StrCat("volcrypt-helper's worker ", what));
}

// What reading or writing a frame ran into, in the words of the operation.
absl::Status ConversationError(const absl::Status& status) {
  if (absl::IsDeadlineExceeded(status)) return TimedOut();
  if (absl::IsUnavailable(status)) {
    return WorkerFailed("ended without an answer: it crashed or was killed, or the helper does not serve this user");
  }
  return WorkerFailed(absl::StrCat("sent a garbled answer: ", status.message()));
}

absl::StatusOr<UniqueFd> Connect(const std::string& socket_path, absl::Time deadline) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (socket_path.size() >= sizeof(address.sun_path)) return Unavailable(socket_path, ENAMETOOLONG);
  memcpy(static_cast<char*>(address.sun_path), socket_path.data(), socket_path.size());

  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.IsValid()) return Unavailable(socket_path, errno);
  // A full backlog cannot be polled for, but connect() waits for it as long as the send timeout says.
  const absl::Duration wait = std::min(kConnectTimeout, deadline - absl::Now());
  if (wait <= absl::ZeroDuration()) return TimedOut();
  const timeval timeout = absl::ToTimeval(absl::Ceil(wait, absl::Milliseconds(1)));
  if (setsockopt(fd.Get(), SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) != 0) {
    return Unavailable(socket_path, errno);
  }
  int result = 0;
  do {
    result = connect(fd.Get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  } while (result != 0 && errno == EINTR);
  if (result != 0) return Unavailable(socket_path, errno);
  return fd;
}

absl::Status Send(int socket, const helper::Request& request, const Key* key, absl::Time deadline) {
  if (absl::Status status = WriteFrame(socket, request.SerializeAsString(), deadline); !status.ok()) return status;
  const SecretBytes none;
  return WriteSecretFrame(socket, key == nullptr ? none : key->bytes, deadline);
}

absl::StatusOr<helper::Reply> Receive(int socket, absl::Time deadline) {
  const absl::StatusOr<std::string> frame = ReadFrame(socket, deadline);
  if (!frame.ok()) return ConversationError(frame.status());
  helper::Reply reply;
  if (!reply.ParseFromString(*frame)) return WorkerFailed("sent an answer that cannot be parsed");
  if (reply.has_error()) return FromWire(reply.error());
  return reply;
}

// Verb and result of one operation have the same number.
bool Belongs(const helper::Reply& reply, const helper::Request& request) {
  return static_cast<int>(reply.result_case()) == static_cast<int>(request.verb_case());
}
static_assert(static_cast<int>(helper::Request::kAttach) == static_cast<int>(helper::Reply::kAttach) &&
              static_cast<int>(helper::Request::kDetach) == static_cast<int>(helper::Reply::kDetach) &&
              static_cast<int>(helper::Request::kExtend) == static_cast<int>(helper::Reply::kExtend) &&
              static_cast<int>(helper::Request::kInspect) == static_cast<int>(helper::Reply::kInspect) &&
              static_cast<int>(helper::Request::kQuery) == static_cast<int>(helper::Reply::kQuery) &&
              static_cast<int>(helper::Request::kForget) == static_cast<int>(helper::Reply::kForget));

// A result whose numbers are outside their enumerations did not come from the program that it should.
template <typename Result>
absl::StatusOr<Result> Checked(absl::StatusOr<Result> result) {
  if (!result.ok()) return WorkerFailed(absl::StrCat("sent a garbled answer: ", result.status().message()));
  return result;
}

uint32_t TimeoutMilliseconds(absl::Time deadline) {
  const absl::Duration left = std::min(deadline - absl::Now(), kLongestTimeout);
  return static_cast<uint32_t>(std::max<int64_t>(absl::ToInt64Milliseconds(left), 1));
}

}  // namespace

HelperClient::HelperClient(std::string socket_path, LeftWorkers* left)
    : socket_path_(std::move(socket_path)), left_(left) {}

absl::StatusOr<helper::Reply> HelperClient::Call(helper::Request request, const Key* key, absl::Time deadline) const {
  if (deadline <= absl::Now()) return TimedOut();
  absl::StatusOr<UniqueFd> connection = Connect(socket_path_, deadline);
  if (!connection.ok()) return connection.status();
  request.set_timeout_ms(TimeoutMilliseconds(deadline));
  if (key != nullptr) {
    request.mutable_key()->set_present(true);
    request.mutable_key()->set_type(static_cast<uint32_t>(key->type));
    request.mutable_key()->set_high_entropy(key->high_entropy);
  }
  const absl::Status sent = Send(connection->Get(), request, key, deadline);
  if (absl::IsInvalidArgument(sent)) {
    return MakeError(Reason::kInvalidField, "the request is too long", {{"field", "request"}});
  }
  if (absl::IsDeadlineExceeded(sent)) return TimedOut();
  // A peer that refuses closes before it has read everything: its answer says why, so it is read all the same.
  absl::StatusOr<helper::Reply> reply = Receive(connection->Get(), deadline);
  if (left_ != nullptr && HasReason(reply.status(), Reason::kDeviceTimedOut)) left_->Add(*std::move(connection));
  if (reply.ok() && !Belongs(*reply, request)) return WorkerFailed("answered another question");
  return reply;
}

absl::StatusOr<AttachResult> HelperClient::Attach(const AttachRequest& request, const Key* key, absl::Time deadline) {
  helper::Request wire;
  *wire.mutable_attach() = ToWire(request);
  const absl::StatusOr<helper::Reply> reply = Call(std::move(wire), key, deadline);
  if (!reply.ok()) return reply.status();
  return Checked(FromWire(reply->attach()));
}

absl::StatusOr<DetachResult> HelperClient::Detach(const DetachRequest& request, absl::Time deadline) {
  helper::Request wire;
  *wire.mutable_detach() = ToWire(request);
  const absl::StatusOr<helper::Reply> reply = Call(std::move(wire), nullptr, deadline);
  if (!reply.ok()) return reply.status();
  return FromWire(reply->detach());
}

absl::StatusOr<ExtendResult> HelperClient::Extend(const ExtendRequest& request, const Key* key, absl::Time deadline) {
  helper::Request wire;
  *wire.mutable_extend() = ToWire(request);
  const absl::StatusOr<helper::Reply> reply = Call(std::move(wire), key, deadline);
  if (!reply.ok()) return reply.status();
  return Checked(FromWire(reply->extend()));
}

absl::StatusOr<Inspection> HelperClient::Inspect(const std::string& device, absl::Time deadline) {
  helper::Request wire;
  wire.mutable_inspect()->set_device(device);
  const absl::StatusOr<helper::Reply> reply = Call(std::move(wire), nullptr, deadline);
  if (!reply.ok()) return reply.status();
  return Checked(FromWire(reply->inspect()));
}

absl::StatusOr<Mapping> HelperClient::Query(const std::string& volume_id, absl::Time deadline) {
  helper::Request wire;
  wire.mutable_query()->set_volume_id(volume_id);
  const absl::StatusOr<helper::Reply> reply = Call(std::move(wire), nullptr, deadline);
  if (!reply.ok()) return reply.status();
  return Checked(FromWire(reply->query()));
}

absl::Status HelperClient::Forget(const std::string& volume_id, absl::Time deadline) {
  helper::Request wire;
  wire.mutable_forget()->set_volume_id(volume_id);
  return Call(std::move(wire), nullptr, deadline).status();
}

}  // namespace volcrypt
