#pragma once

#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/attach_request.h"
#include "agent/attach_sequence.h"
#include "agent/attachment.h"
#include "agent/libvirt/volume_secrets.h"

namespace volcrypt {

// What libvirt knows of attachments: the secrets beside mappings, and the attachments that QEMU decrypts, of which the
// secret is all there is. Without secrets every question has the empty answer. Remembers only, for as long as the
// agent runs, whose mappings had a secret, so that a loss in libvirt is noticed. Thread-safe.
class SecretAttachments {
 public:
  // `secrets` may be null and outlives this.
  explicit SecretAttachments(VolumeSecrets* secrets) : secrets_(secrets) {}

  bool IsOn() const { return secrets_ != nullptr; }

  // What an attach meets. LIBVIRT_UNAVAILABLE only when the call wants a secret: nothing else stops for libvirt.
  // ATTACHED_DIFFERENTLY when the volume is attached in the other mode.
  absl::StatusOr<std::optional<VolumeSecret>> FindFor(const AttachCall& call, absl::Time deadline);
  // Puts the secret of what was attached, or finds it there and right. Sets answer.libvirt_secret_uuid.
  // ATTACHED_DIFFERENTLY when what is there is another attachment of the volume.
  absl::Status Register(const AttachCall& call, const std::optional<VolumeSecret>& there, AttachAnswer& answer,
                        absl::Time deadline);

  // After the mapping has gone, or was found not to be there. Fills was_attached, and volume_id when a device was
  // named.
  absl::Status Detach(const DetachRequest& request, bool keep, DetachAnswer& answer, absl::Time deadline);

  // Adds what libvirt knows to what the kernel knows; of a volume without mapping, `mapping` is NOT_ATTACHED.
  absl::StatusOr<Attachment> Describe(const std::string& volume_id, absl::StatusOr<Mapping> mapping,
                                      absl::Time deadline);
  AttachmentList List(std::vector<Mapping> mappings, absl::Time deadline);
  // DEVICE_IN_USE while QEMU decrypts the volume, LIBVIRT_UNAVAILABLE when nobody knows.
  absl::Status CheckNotAttached(const std::string& volume_id, absl::Time deadline);

 private:
  absl::StatusOr<std::optional<VolumeSecret>> FindAttached(const DetachRequest& request, const std::string& volume_id,
                                                           absl::Time deadline);
  void Complete(Attachment& attachment, const VolumeSecret* secret);
  void Remember(const std::string& volume_id);
  void Forget(const std::string& volume_id);
  bool Remembers(const std::string& volume_id);

  VolumeSecrets* const secrets_;
  std::mutex mutex_;
  std::set<std::string> with_secret_;
};

}  // namespace volcrypt
