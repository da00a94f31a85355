#pragma once

#include <string>
#include <utility>
#include <vector>

#include "agent/attach_request.h"
#include "agent/libvirt/volume_secrets.h"
#include "encryptors/encryptor.h"

namespace volcrypt {

// A volume as it is attached on this host. Where QEMU decrypts there is no mapping, and device_path is empty.
struct Attachment : Mapping {
  Attachment() = default;
  explicit Attachment(Mapping mapping) : Mapping(std::move(mapping)) {}

  AttachMode mode = AttachMode::kHostMapping;
  std::string libvirt_secret_uuid;  // empty: none
};

// Of a volume that QEMU decrypts, of which the secret is all there is.
Attachment AttachmentOf(const VolumeSecret& secret);
// The volume is attached, and the secret is its: without a value it is a broken attachment.
void AddSecret(const VolumeSecret& secret, Attachment& attachment);

struct AttachmentList {
  std::vector<Attachment> attachments;   // in the order of volume ids
  std::vector<std::string> unreachable;  // "libvirt": theirs may be missing
};

struct ExtendAnswer : ExtendResult {
  ExtendAnswer() = default;
  explicit ExtendAnswer(ExtendResult result) : ExtendResult(std::move(result)) {}

  std::string unmapped_secret_uuid;  // QEMU decrypts the volume, with this secret
};

struct DetachAnswer : DetachResult {
  DetachAnswer() = default;
  explicit DetachAnswer(DetachResult result) : DetachResult(std::move(result)) {}

  std::vector<std::string> warnings;  // for the log
};

}  // namespace volcrypt
