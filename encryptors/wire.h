// Translation between the vocabulary of encryptor.h and the messages of helper.proto, for both ends of the wire.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "encryptors/encryptor.h"
#include "helper.pb.h"

namespace volcrypt {

helper::AttachRequest ToWire(const AttachRequest& request);
helper::AttachResult ToWire(const AttachResult& result);
helper::DetachRequest ToWire(const DetachRequest& request);
helper::DetachResult ToWire(const DetachResult& result);
helper::ExtendRequest ToWire(const ExtendRequest& request);
helper::ExtendResult ToWire(const ExtendResult& result);
helper::Inspection ToWire(const Inspection& inspection);
helper::Mapping ToWire(const Mapping& mapping);
helper::Error ToWire(const absl::Status& error);

// kInvalidArgument for a number outside an enumeration: the peer is not the program that it should be.
absl::StatusOr<AttachRequest> FromWire(const helper::AttachRequest& request);
absl::StatusOr<AttachResult> FromWire(const helper::AttachResult& result);
DetachRequest FromWire(const helper::DetachRequest& request);
DetachResult FromWire(const helper::DetachResult& result);
ExtendRequest FromWire(const helper::ExtendRequest& request);
absl::StatusOr<ExtendResult> FromWire(const helper::ExtendResult& result);
absl::StatusOr<Inspection> FromWire(const helper::Inspection& inspection);
absl::StatusOr<Mapping> FromWire(const helper::Mapping& mapping);
// Never OK: an error without a known reason is WORKER_FAILED.
absl::Status FromWire(const helper::Error& error);

}  // namespace volcrypt
