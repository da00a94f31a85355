// What the core answers as messages of the public API.
#pragma once

#include <vector>

#include "agent/attachment.h"
#include "agent/keys/key_manager.h"
#include "encryptors/encryptor.h"
#include "volcrypt/v1/key.pb.h"
#include "volcrypt/v1/volume_admin.pb.h"
#include "volcrypt/v1/volume_encryptor.pb.h"

namespace volcrypt {

// Lists show what sysfs knows; open count, key and time of the format are for one attachment alone.
enum class Detail : uint8_t { kList, kOne };
v1::Attachment ToApi(const Attachment& attachment, Detail detail);
// Of one whose libvirt secret is not known.
v1::Attachment ToApi(const Mapping& mapping, Detail detail);
v1::Encryption ToApi(const Encryption& encryption);
v1::InspectVolumeResponse ToApi(const Inspection& inspection);
v1::KeyReference ToApi(const KeyReference& key);
v1::GetKeyMetadataResponse ToApi(const KeyReference& key, const KeyMetadata& metadata);
v1::CheckKeyManagerResponse ToApi(const std::vector<CheckStep>& steps);

}  // namespace volcrypt
