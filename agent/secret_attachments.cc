#include "agent/secret_attachments.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "agent/uuid.h"
#include "encryptors/reason.h"

namespace volcrypt {
namespace {

using Found = absl::StatusOr<std::optional<VolumeSecret>>;

// For what only informs: a libvirtd that hangs holds up nobody who asks nothing of it for longer.
constexpr absl::Duration kInformationTime = absl::Seconds(1);

absl::Time Shortly(absl::Time deadline) { return std::min(deadline, absl::Now() + kInformationTime); }

bool IsUnmapped(const AttachCall& call) { return call.mode == AttachMode::kLibvirtSecret; }

absl::Status Differs(const VolumeSecret& there, const std::string& what, const std::string& found) {
  return MakeError(
      Reason::kAttachedDifferently,
      absl::StrCat("volume ", there.volume_id, " is already attached with another ", what, " (", found,
                   "); detach it first"),
      {{"volume_id", there.volume_id}, {"differs", what}, {"attached", found}, {"libvirt_secret_uuid", there.uuid}});
}

SecretNote NoteOf(const AttachCall& call, const Mapping& mapping) {
  return {.is_attachment = IsUnmapped(call),
          .device = mapping.device,
          .size_bytes = mapping.size_bytes,
          .luks_uuid = mapping.luks_uuid,
          .encryption = {.format = mapping.encryption.format,
                         .cipher = mapping.encryption.cipher,
                         .key_size_bits = mapping.encryption.key_size_bits},
          .read_only = mapping.read_only,
          .key = mapping.key};
}

absl::Status CheckSame(const VolumeSecret& there, const Mapping& now) {
  if (there.note.device != now.device) {
    return Differs(there, "device", absl::StrCat("over ", there.note.device));
  }
  if (there.note.luks_uuid != now.luks_uuid) {
    return Differs(there, "LUKS header", absl::StrCat("UUID ", there.note.luks_uuid));
  }
  if (there.note.read_only != now.read_only) {
    return Differs(there, "read-only flag", there.note.read_only ? "read-only" : "read-write");
  }
  return absl::OkStatus();
}

absl::Status NotAttached(const std::string& volume_id) {
  return MakeError(Reason::kNotAttached, absl::StrCat("volume ", volume_id, " is not attached; attach it first"),
                   {{"volume_id", volume_id}});
}

absl::Status NoLibvirt(const std::string& volume_id) {
  return MakeError(
      Reason::kLibvirtUnavailable,
      absl::StrCat("volume ", volume_id, " was attached for QEMU, and this agent has no libvirt any more; ",
                   "set [libvirt] uri, then detach it"),
      {{"volume_id", volume_id}});
}

// Of what was found, what QEMU decrypts.
std::optional<VolumeSecret> Attached(const std::optional<VolumeSecret>& found) {
  return found && found->note.is_attachment ? found : std::nullopt;
}

}  // namespace

Found SecretAttachments::RecordedAttached(const std::string& volume_id) const {
  const absl::StatusOr<std::optional<SecretRecords::Record>> record = records_.Find(volume_id);
  if (!record.ok()) return record.status();
  return record->has_value() && !(*record)->is_left ? Attached((*record)->secret) : std::nullopt;
}

Found SecretAttachments::Find(const std::string& volume_id, absl::Time deadline) {
  Found found = secrets_->Find(volume_id, deadline);
  if (!found.ok() || found->has_value()) return found;
  const absl::StatusOr<std::optional<SecretRecords::Record>> record = records_.Find(volume_id);
  if (!record.ok()) return record.status();
  if (record->has_value() && !(*record)->is_left) *found = (*record)->secret;
  return found;
}

absl::StatusOr<std::vector<VolumeSecret>> SecretAttachments::FindAll(absl::Time deadline) {
  absl::StatusOr<std::vector<VolumeSecret>> secrets = secrets_->List(deadline);
  if (!secrets.ok()) return secrets;
  const absl::StatusOr<std::vector<SecretRecords::Record>> records = records_.List();
  if (!records.ok()) return records.status();
  std::map<std::string, VolumeSecret> all;
  for (const SecretRecords::Record& record : *records) {
    if (!record.is_left) all[record.secret.volume_id] = record.secret;
  }
  for (VolumeSecret& secret : *secrets) all[secret.volume_id] = std::move(secret);
  secrets->clear();
  for (auto& [volume_id, secret] : all) secrets->push_back(std::move(secret));
  return secrets;
}

Found SecretAttachments::FindFor(const AttachCall& call, absl::Time deadline) {
  const bool wanted = WantsSecret(call);
  Found found = IsOn() ? Find(call.volume_id, wanted ? deadline : Shortly(deadline)) : RecordedAttached(call.volume_id);
  if (!found.ok() && wanted) return found;
  const Found known = found.ok() ? found : RecordedAttached(call.volume_id);
  if (!known.ok()) return known.status();
  const std::optional<VolumeSecret> attached = Attached(*known);
  if (attached && !IsUnmapped(call)) return Differs(*attached, "mode", "QEMU decrypts it");
  return found.ok() ? found : std::optional<VolumeSecret>();
}

absl::StatusOr<std::map<std::string, std::string>> SecretAttachments::DevicesOfOthers(
    const std::string& volume_id) const {
  const absl::StatusOr<std::vector<SecretRecords::Record>> records = records_.List();
  if (!records.ok()) return records.status();
  std::map<std::string, std::string> devices;
  for (const SecretRecords::Record& record : *records) {
    const VolumeSecret& other = record.secret;
    if (record.is_left || !other.note.is_attachment || other.note.device.empty()) continue;
    if (other.volume_id != volume_id) devices[other.volume_id] = other.note.device;
  }
  return devices;
}

absl::Status SecretAttachments::CheckDeviceFree(const std::string& volume_id, const std::string& device) const {
  const absl::StatusOr<std::map<std::string, std::string>> devices = DevicesOfOthers(volume_id);
  if (!devices.ok()) return devices.status();
  for (const auto& [other, taken] : *devices) {
    if (taken != device) continue;
    return MakeError(Reason::kDeviceInUse,
                     absl::StrCat("QEMU decrypts volume ", other, " on device ", device, "; detach that volume first"),
                     {{"device", device}, {"volume_id", other}});
  }
  return absl::OkStatus();
}

// QEMU claims no device for itself, so a record does, before anything is registered. Whoever makes a mapping looks at
// the records afterwards, and this at the mappings: of two at once, one sees the other.
absl::Status SecretAttachments::Claim(const VolumeSecret& secret) {
  {
    const std::lock_guard lock(claiming_);
    if (absl::Status is_free = CheckDeviceFree(secret.volume_id, secret.note.device); !is_free.ok()) return is_free;
    // Without it nothing would keep another volume off the device.
    if (absl::Status recorded = records_.Write({.secret = secret}); !recorded.ok()) return recorded;
  }
  for (const Mapping& mapping : mappings_.List()) {
    if (mapping.device != secret.note.device) continue;
    records_.Remove(secret.volume_id);
    return MakeError(Reason::kDeviceInUse,
                     absl::StrCat("device ", mapping.device, " is in use by the mapping of volume ", mapping.volume_id,
                                  "; detach that volume first"),
                     {{"device", mapping.device}, {"volume_id", mapping.volume_id}});
  }
  return absl::OkStatus();
}

absl::Status SecretAttachments::Register(const AttachCall& call, const std::optional<VolumeSecret>& there,
                                         AttachAnswer& answer, absl::Time deadline) {
  const bool attached = there && (IsUnmapped(call) ? there->note.is_attachment : answer.already_attached);
  if (attached && IsUnmapped(call)) {
    if (absl::Status same = CheckSame(*there, answer.mapping); !same.ok()) return same;
    answer.already_attached = true;
  }
  VolumeSecret secret{
      .volume_id = call.volume_id, .uuid = there ? there->uuid : RandomUuid(), .note = NoteOf(call, answer.mapping)};
  if (attached && there->has_value) {
    secret.note = there->note;
  } else {
    if (answer.passphrase.IsEmpty()) {
      return MakeError(Reason::kOperationInProgress, "the volume's libvirt secret went away meanwhile; try again");
    }
    const bool claims = IsUnmapped(call) && !attached && !call.device.empty();
    if (absl::Status claimed = claims ? Claim(secret) : absl::OkStatus(); !claimed.ok()) return claimed;
    const absl::StatusOr<PutSecret> put =
        secrets_->Put(call.volume_id, secret.uuid, secret.note, std::move(answer.passphrase), deadline);
    if (!put.ok() && claims) records_.Remove(call.volume_id);
    if (!put.ok()) return put.status();
    secret.uuid = put->uuid;
  }
  answer.passphrase.Clear();
  answer.libvirt_secret_uuid = secret.uuid;
  const absl::Status recorded = records_.Write({.secret = secret});
  if (!recorded.ok()) answer.warnings.emplace_back(recorded.message());
  return absl::OkStatus();
}

absl::StatusOr<std::string> SecretAttachments::VolumeOver(const std::string& device, absl::Time deadline) {
  if (!IsOn()) return "";
  const absl::StatusOr<std::vector<VolumeSecret>> all = FindAll(deadline);
  if (!all.ok()) return all.status();
  for (const VolumeSecret& secret : *all) {
    if (secret.note.is_attachment && secret.note.device == device) return secret.volume_id;
  }
  return "";
}

absl::Status SecretAttachments::Detach(bool keep, DetachAnswer& answer, absl::Time deadline) {
  if (answer.volume_id.empty()) return absl::OkStatus();
  if (!IsOn()) {
    const Found recorded = RecordedAttached(answer.volume_id);
    if (!recorded.ok()) return recorded.status();
    return recorded->has_value() ? NoLibvirt(answer.volume_id) : absl::OkStatus();
  }
  const Found found = Find(answer.volume_id, answer.was_attached ? Shortly(deadline) : deadline);
  if (!found.ok()) {
    if (!answer.was_attached) return found.status();
    // Its mapping is closed, and whether it had a secret only this host's record knows.
    absl::StatusOr<std::optional<SecretRecords::Record>> record = records_.Find(answer.volume_id);
    if (!record.ok()) answer.warnings.emplace_back(record.status().message());
    if (keep || !record.ok() || !record->has_value()) return absl::OkStatus();
    (*record)->is_left = true;
    const absl::Status recorded = records_.Write(**record);
    answer.warnings.push_back(
        absl::StrCat("volume ", answer.volume_id, " is detached, and its libvirt secret ",
                     "is left behind until libvirt answers: ", std::string(found.status().message())));
    if (!recorded.ok()) answer.warnings.emplace_back(recorded.message());
    return absl::OkStatus();
  }
  if (!found->has_value()) return absl::OkStatus();
  const VolumeSecret& secret = **found;
  if (secret.note.is_attachment) {
    answer.was_attached = true;
    answer.device = secret.note.device;
    answer.luks_uuid = secret.note.luks_uuid;
  }
  if (keep && secret.note.is_attachment) return absl::OkStatus();
  if (!keep && !secret.is_lost) {
    const absl::StatusOr<bool> removed = secrets_->Remove(secret.volume_id, deadline);
    if (!removed.ok()) return removed.status();
  }
  records_.Remove(secret.volume_id);
  return absl::OkStatus();
}

std::vector<std::string> SecretAttachments::LeftBehind() const {
  std::vector<std::string> volumes;
  if (!IsOn()) return volumes;
  const absl::StatusOr<std::vector<SecretRecords::Record>> records = records_.List();
  if (!records.ok()) return volumes;
  for (const SecretRecords::Record& record : *records) {
    if (record.is_left) volumes.push_back(record.secret.volume_id);
  }
  return volumes;
}

absl::Status SecretAttachments::RemoveLeft(const std::string& volume_id, absl::Time deadline) {
  const absl::StatusOr<std::optional<SecretRecords::Record>> record = records_.Find(volume_id);
  if (!record.ok()) return record.status();
  if (!record->has_value() || !(*record)->is_left) return absl::OkStatus();
  const absl::StatusOr<bool> removed = secrets_->Remove(volume_id, Shortly(deadline));
  if (removed.ok()) records_.Remove(volume_id);
  return removed.status();
}

absl::StatusOr<VolumeSecret> SecretAttachments::Unmapped(const std::string& volume_id, absl::Time deadline) {
  if (!IsOn()) return NotAttached(volume_id);
  const Found found = Find(volume_id, deadline);
  if (!found.ok()) return found.status();
  std::optional<VolumeSecret> attached = Attached(*found);
  if (!attached) return NotAttached(volume_id);
  return *std::move(attached);
}

absl::Status SecretAttachments::Amend(const VolumeSecret& secret, absl::Time deadline) {
  const absl::StatusOr<bool> amended = secrets_->Amend(secret.volume_id, secret.note, deadline);
  if (!amended.ok()) return amended.status();
  return records_.Write({.secret = secret});
}

absl::StatusOr<Attachment> SecretAttachments::Describe(const std::string& volume_id, absl::StatusOr<Mapping> mapping,
                                                       absl::Time deadline) {
  const bool mapped = mapping.ok();
  if (!mapped && (!IsOn() || !HasReason(mapping.status(), Reason::kNotAttached))) return mapping.status();
  if (!mapped) {
    const absl::StatusOr<VolumeSecret> secret = Unmapped(volume_id, deadline);
    if (!secret.ok()) return HasReason(secret.status(), Reason::kNotAttached) ? mapping.status() : secret.status();
    return AttachmentOf(*secret);
  }
  Attachment attachment(*std::move(mapping));
  if (!IsOn()) return attachment;
  const Found found = Find(volume_id, Shortly(deadline));
  if (found.ok() && found->has_value()) AddSecret(**found, attachment);
  return attachment;
}

AttachmentList SecretAttachments::List(std::vector<Mapping> mappings, absl::Time deadline) {
  AttachmentList list;
  for (Mapping& mapping : mappings) list.attachments.emplace_back(std::move(mapping));
  if (!IsOn()) return list;
  const absl::StatusOr<std::vector<VolumeSecret>> secrets = FindAll(deadline);
  if (!secrets.ok()) {
    list.unreachable.emplace_back("libvirt");
    return list;
  }
  std::map<std::string, const VolumeSecret*> by_volume;
  for (const VolumeSecret& secret : *secrets) by_volume[secret.volume_id] = &secret;
  for (Attachment& attachment : list.attachments) {
    const auto secret = by_volume.extract(attachment.volume_id);
    if (!secret.empty()) AddSecret(*secret.mapped(), attachment);
  }
  for (const auto& [volume_id, secret] : by_volume) {
    if (secret->note.is_attachment) list.attachments.push_back(AttachmentOf(*secret));
  }
  std::ranges::sort(list.attachments, {}, &Attachment::volume_id);
  return list;
}

absl::Status SecretAttachments::CheckNotAttached(const std::string& volume_id, absl::Time deadline) {
  const Found found = IsOn() ? Find(volume_id, deadline) : RecordedAttached(volume_id);
  if (!found.ok()) return found.status();
  const std::optional<VolumeSecret> attached = Attached(*found);
  if (!attached) return absl::OkStatus();
  return MakeError(Reason::kDeviceInUse, absl::StrCat("volume ", volume_id, " is attached; detach it first"),
                   {{"volume_id", volume_id}, {"libvirt_secret_uuid", attached->uuid}});
}

}  // namespace volcrypt
