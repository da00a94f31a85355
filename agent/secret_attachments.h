#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/attach_request.h"
#include "agent/attach_sequence.h"
#include "agent/attachment.h"
#include "agent/libvirt/volume_secrets.h"
#include "agent/mappings.h"
#include "agent/secret_records.h"

namespace volcrypt {

// What libvirt knows of attachments: the secrets beside mappings, and the attachments that QEMU decrypts, of which the
// secret is all there is. Without secrets every question has the empty answer. A secret that was registered and that
// libvirt does not have any more is found as one that is lost, and its attachment as broken. Thread-safe.
class SecretAttachments {
 public:
  // `secrets` may be null. It and the mappings outlive this.
  SecretAttachments(VolumeSecrets* secrets, SecretRecords records, const Mappings& mappings)
      : secrets_(secrets), records_(std::move(records)), mappings_(mappings) {}

  bool IsOn() const { return secrets_ != nullptr; }

  // What an attach meets. LIBVIRT_UNAVAILABLE only when the call wants a secret: nothing else stops for libvirt, and
  // this host's record stands in for it. ATTACHED_DIFFERENTLY when the volume is attached in the other mode.
  // STATE_NOT_WRITABLE when the volume's record cannot be read.
  absl::StatusOr<std::optional<VolumeSecret>> FindFor(const AttachCall& call, absl::Time deadline);
  // The other volumes that QEMU decrypts on this host, as far as it has recorded them, and their devices.
  // STATE_NOT_WRITABLE when a record cannot be read: it may be about any device.
  absl::StatusOr<std::map<std::string, std::string>> DevicesOfOthers(const std::string& volume_id) const;
  // DEVICE_IN_USE when one of them is the device, by its canonical path.
  absl::Status CheckDeviceFree(const std::string& volume_id, const std::string& device) const;
  // Puts the secret of what was attached, or finds it there and right. Sets answer.libvirt_secret_uuid.
  // ATTACHED_DIFFERENTLY when what is there is another attachment of the volume, DEVICE_IN_USE when another volume got
  // the device meanwhile, STATE_NOT_WRITABLE when the device cannot be claimed for QEMU.
  absl::Status Register(const AttachCall& call, const std::optional<VolumeSecret>& there, AttachAnswer& answer,
                        absl::Time deadline);

  // What QEMU decrypts on the device of this canonical path; empty when it does not. The device itself may be gone.
  absl::StatusOr<std::string> VolumeOver(const std::string& device, absl::Time deadline);
  // After the mapping has gone, or was found not to be there. Fills was_attached. LIBVIRT_UNAVAILABLE also when QEMU
  // decrypts the volume and libvirt was since taken out of the configuration.
  absl::Status Detach(bool keep, DetachAnswer& answer, absl::Time deadline);
  // The volumes that were detached while libvirt was away, and one of them's secret: false when there is none left.
  std::vector<std::string> LeftBehind() const;
  absl::Status RemoveLeft(const std::string& volume_id, absl::Time deadline);

  // Of a volume that QEMU decrypts; NOT_ATTACHED.
  absl::StatusOr<VolumeSecret> Unmapped(const std::string& volume_id, absl::Time deadline);
  absl::Status Amend(const VolumeSecret& secret, absl::Time deadline);

  // Adds what libvirt knows to what the kernel knows; of a volume without mapping, `mapping` is NOT_ATTACHED.
  absl::StatusOr<Attachment> Describe(const std::string& volume_id, absl::StatusOr<Mapping> mapping,
                                      absl::Time deadline);
  AttachmentList List(std::vector<Mapping> mappings, absl::Time deadline);
  // DEVICE_IN_USE while QEMU decrypts the volume, LIBVIRT_UNAVAILABLE when nobody knows.
  absl::Status CheckNotAttached(const std::string& volume_id, absl::Time deadline);

 private:
  absl::StatusOr<std::optional<VolumeSecret>> Find(const std::string& volume_id, absl::Time deadline);
  absl::StatusOr<std::vector<VolumeSecret>> FindAll(absl::Time deadline);
  // What QEMU decrypts by this host's record alone.
  absl::StatusOr<std::optional<VolumeSecret>> RecordedAttached(const std::string& volume_id) const;
  absl::Status Claim(const VolumeSecret& secret);

  VolumeSecrets* const secrets_;
  const SecretRecords records_;
  const Mappings& mappings_;
  std::mutex claiming_;
};

}  // namespace volcrypt
