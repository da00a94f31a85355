// Requests of the public API in the vocabulary of the core. Protobuf types stop here.
#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "agent/attacher.h"
#include "agent/key_copy.h"
#include "agent/keys/key_manager.h"
#include "agent/keys/key_managers.h"
#include "encryptors/encryptor.h"
#include "volcrypt/v1/key.pb.h"
#include "volcrypt/v1/volume_encryptor.pb.h"

namespace volcrypt {

// INVALID_FIELD names the field that holds a number outside its enumeration.
absl::StatusOr<AttachCall> FromApi(const v1::AttachVolumeRequest& request, bool caller_is_admin);
DetachRequest FromApi(const v1::DetachVolumeRequest& request);
ExtendCall FromApi(const v1::ExtendVolumeRequest& request, bool caller_is_admin);
// Who keeps the key, as log and audit name it: as the caller does where there is no such key manager; empty without a
// key.
std::string KeyManagerOf(const v1::KeyReference& key, const KeyManagers& key_managers);
// A key that names neither key manager nor id is none.
std::optional<KeyReference> FromApi(const v1::KeyReference& key);
// A key that must be named, its id checked: KEY_REQUIRED, INVALID_KEY_ID. `field` is the key's in the request.
absl::StatusOr<KeyReference> RequiredKey(const v1::KeyReference& key, const std::string& field);
// INVALID_FIELD for what no key manager of ours makes.
absl::StatusOr<NewKey> FromApi(const v1::CreateKeyRequest& request);
absl::StatusOr<CopyKeyCall> FromApi(const v1::CopyKeyRequest& request);

}  // namespace volcrypt
