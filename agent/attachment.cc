#include "agent/attachment.h"

namespace volcrypt {

Attachment AttachmentOf(const VolumeSecret& secret) {
  Attachment attachment(Mapping{.volume_id = secret.volume_id,
                                .device = secret.note.device,
                                .size_bytes = secret.note.size_bytes,
                                .luks_uuid = secret.note.luks_uuid,
                                .encryption = secret.note.encryption,
                                .read_only = secret.note.read_only,
                                .key = secret.note.key});
  attachment.mode = AttachMode::kLibvirtSecret;
  AddSecret(secret, attachment);
  return attachment;
}

void AddSecret(const VolumeSecret& secret, Attachment& attachment) {
  attachment.libvirt_secret_uuid = secret.uuid;
  if (secret.has_value || attachment.state != MappingState::kActive) return;
  attachment.state = MappingState::kBroken;
  attachment.state_reason = secret.is_lost ? "its libvirt secret is gone; attach it again"
                                           : "its libvirt secret has no value; attach it again";
}

}  // namespace volcrypt
