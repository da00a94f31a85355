#include "encryptors/worker.h"

#include <algorithm>
#include <array>
#include <exception>
#include <new>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "encryptors/frame.h"
#include "encryptors/reason.h"
#include "encryptors/request_validation.h"
#include "encryptors/wire.h"
#include "helper.pb.h"

namespace volcrypt {
namespace {

// What a verb's function gets; the key is null when the request has none.
struct Operation {
  const helper::Request& request;
  const Key* key;
  absl::Time deadline;
};

using Outcome = absl::StatusOr<helper::Reply>;

absl::Status Malformed(const absl::Status& status) {
  return MakeError(Reason::kInvalidField, absl::StrCat("malformed request: ", status.message()),
                   {{"field", "request"}});
}

Outcome Attach(const Operation& operation, Encryptor& encryptor) {
  const absl::StatusOr<AttachRequest> request = FromWire(operation.request.attach());
  if (!request.ok()) return Malformed(request.status());
  if (absl::Status status = Validate(*request); !status.ok()) return status;
  const absl::StatusOr<AttachResult> result = encryptor.Attach(*request, operation.key, operation.deadline);
  if (!result.ok()) return result.status();
  helper::Reply reply;
  *reply.mutable_attach() = ToWire(*result);
  return reply;
}

Outcome Detach(const Operation& operation, Encryptor& encryptor) {
  const DetachRequest request = FromWire(operation.request.detach());
  if (absl::Status status = Validate(request); !status.ok()) return status;
  const absl::StatusOr<DetachResult> result = encryptor.Detach(request, operation.deadline);
  if (!result.ok()) return result.status();
  helper::Reply reply;
  *reply.mutable_detach() = ToWire(*result);
  return reply;
}

Outcome Extend(const Operation& operation, Encryptor& encryptor) {
  const ExtendRequest request = FromWire(operation.request.extend());
  if (absl::Status status = Validate(request); !status.ok()) return status;
  const absl::StatusOr<ExtendResult> result = encryptor.Extend(request, operation.key, operation.deadline);
  if (!result.ok()) return result.status();
  helper::Reply reply;
  *reply.mutable_extend() = ToWire(*result);
  return reply;
}

Outcome Inspect(const Operation& operation, Encryptor& encryptor) {
  const std::string& device = operation.request.inspect().device();
  if (absl::Status status = ValidateDevice(device); !status.ok()) return status;
  const absl::StatusOr<Inspection> result = encryptor.Inspect(device, operation.deadline);
  if (!result.ok()) return result.status();
  helper::Reply reply;
  *reply.mutable_inspect() = ToWire(*result);
  return reply;
}

Outcome Query(const Operation& operation, Encryptor& encryptor) {
  const std::string& volume_id = operation.request.query().volume_id();
  if (absl::Status status = ValidateVolumeId(volume_id); !status.ok()) return status;
  const absl::StatusOr<Mapping> result = encryptor.Query(volume_id, operation.deadline);
  if (!result.ok()) return result.status();
  helper::Reply reply;
  *reply.mutable_query() = ToWire(*result);
  return reply;
}

Outcome Forget(const Operation& operation, Encryptor& encryptor) {
  const std::string& volume_id = operation.request.forget().volume_id();
  if (absl::Status status = ValidateVolumeId(volume_id); !status.ok()) return status;
  if (absl::Status status = encryptor.Forget(volume_id, operation.deadline); !status.ok()) return status;
  helper::Reply reply;
  reply.set_forget(true);
  return reply;
}

struct Verb {
  helper::Request::VerbCase name;
  bool takes_key;
  Outcome (*perform)(const Operation&, Encryptor&);
};

// All that a peer can ever ask for.
constexpr std::array kVerbs = {
    Verb{helper::Request::kAttach, true, Attach}, Verb{helper::Request::kDetach, false, Detach},
    Verb{helper::Request::kExtend, true, Extend}, Verb{helper::Request::kInspect, false, Inspect},
    Verb{helper::Request::kQuery, false, Query},  Verb{helper::Request::kForget, false, Forget},
};

absl::StatusOr<std::optional<Key>> KeyOf(const helper::KeyDescription& description, SecretBytes bytes,
                                         bool verb_takes_key) {
  if (!description.present()) {
    if (bytes.IsEmpty()) return std::nullopt;
    return MakeError(Reason::kInvalidField, "key bytes came without their description", {{"field", "key"}});
  }
  if (!verb_takes_key) return MakeError(Reason::kInvalidField, "this verb takes no key", {{"field", "key"}});
  if (description.type() > static_cast<uint32_t>(KeyType::kOpaque)) {
    return MakeError(Reason::kInvalidField, absl::StrCat("key type ", description.type(), " is unknown"),
                     {{"field", "key.type"}});
  }
  if (bytes.IsEmpty()) return MakeError(Reason::kKeyUnfit, "the key has no bytes");
  return Key{.type = static_cast<KeyType>(description.type()),
             .bytes = std::move(bytes),
             .high_entropy = description.high_entropy()};
}

// The two frames' failures in words of the operation; an error of SecretBytes has its reason already.
absl::Status ReceiveError(const absl::Status& status) {
  if (ReasonOf(status)) return status;
  if (absl::IsInvalidArgument(status)) return Malformed(status);
  return MakeError(Reason::kWorkerFailed, absl::StrCat("the request did not arrive: ", status.message()));
}

Outcome Perform(const std::string& frame, SecretBytes secret, Encryptor& encryptor) {
  const absl::Time now = absl::Now();
  helper::Request request;
  if (!request.ParseFromString(frame)) return Malformed(absl::InvalidArgumentError("it cannot be parsed"));
  const auto* const verb =
      std::find_if(kVerbs.begin(), kVerbs.end(), [&](const Verb& row) { return row.name == request.verb_case(); });
  if (verb == kVerbs.end()) return Malformed(absl::InvalidArgumentError("it names no known verb"));
  const absl::StatusOr<std::optional<Key>> key = KeyOf(request.key(), std::move(secret), verb->takes_key);
  if (!key.ok()) return key.status();
  if (request.timeout_ms() == 0) {
    return MakeError(Reason::kDeviceTimedOut, "no time was left for the operation; nothing was done");
  }
  return verb->perform({.request = request,
                        .key = key->has_value() ? &**key : nullptr,
                        .deadline = now + absl::Milliseconds(request.timeout_ms())},
                       encryptor);
}

// The bytes of the reply.
absl::StatusOr<std::string> Serve(int socket, Encryptor& encryptor, absl::Time receive_deadline) {
  const absl::StatusOr<std::string> frame = ReadFrame(socket, receive_deadline);
  if (!frame.ok()) return ReceiveError(frame.status());
  absl::StatusOr<SecretBytes> secret = ReadSecretFrame(socket, receive_deadline);
  if (!secret.ok()) return ReceiveError(secret.status());
  const Outcome reply = Perform(*frame, *std::move(secret), encryptor);
  if (!reply.ok()) return reply.status();
  std::string bytes = reply->SerializeAsString();
  if (bytes.size() > kMaxFrameBytes) return MakeError(Reason::kWorkerFailed, "the answer is too long for a frame");
  return bytes;
}

// No exception may leave a worker: its peer would not learn more than that it died.
absl::StatusOr<std::string> ServeWithoutExceptions(int socket, Encryptor& encryptor, absl::Time receive_deadline) {
  try {
    return Serve(socket, encryptor, receive_deadline);
  } catch (const std::bad_alloc&) {
    return MakeError(Reason::kOutOfMemory, "the host has no memory left for this operation; repeat the call later");
  } catch (const std::exception& exception) {
    return MakeError(Reason::kWorkerFailed, absl::StrCat("unexpected failure of the worker: ", exception.what()));
  }
}

}  // namespace

void ServeOperation(int socket, Encryptor& encryptor, const WorkerTimeouts& timeouts) {
  const absl::StatusOr<std::string> reply = ServeWithoutExceptions(socket, encryptor, absl::Now() + timeouts.request);
  const absl::Time deadline = absl::Now() + timeouts.reply;
  const absl::Status written =
      reply.ok() ? WriteFrame(socket, *reply, deadline) : WriteErrorReply(socket, reply.status(), deadline);
  written.IgnoreError();  // the peer has gone; what was done stays, and a repeated call finds it
}

absl::Status WriteErrorReply(int socket, const absl::Status& error, absl::Time deadline) {
  helper::Reply reply;
  *reply.mutable_error() = ToWire(error);
  return WriteFrame(socket, reply.SerializeAsString(), deadline);
}

}  // namespace volcrypt
