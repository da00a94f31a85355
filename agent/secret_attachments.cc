#include "agent/secret_attachments.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
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
  if (there.note.device != now.device) return Differs(there, "device", absl::StrCat("over ", there.note.device));
  if (there.note.luks_uuid != now.luks_uuid) {
    return Differs(there, "LUKS header", absl::StrCat("UUID ", there.note.luks_uuid));
  }
  if (there.note.read_only != now.read_only) {
    return Differs(there, "read-only flag", there.note.read_only ? "read-only" : "read-write");
  }
  return absl::OkStatus();
}

Attachment AttachmentOf(const VolumeSecret& secret) {
  Attachment attachment(Mapping{.volume_id = secret.volume_id,
                                .device = secret.note.device,
                                .size_bytes = secret.note.size_bytes,
                                .luks_uuid = secret.note.luks_uuid,
                                .encryption = secret.note.encryption,
                                .read_only = secret.note.read_only,
                                .key = secret.note.key});
  attachment.mode = AttachMode::kLibvirtSecret;
  attachment.libvirt_secret_uuid = secret.uuid;
  if (!secret.has_value) {
    attachment.state = MappingState::kBroken;
    attachment.state_reason = "its libvirt secret has no value; attach it again";
  }
  return attachment;
}

}  // namespace

Found SecretAttachments::FindFor(const AttachCall& call, absl::Time deadline) {
  if (secrets_ == nullptr) return std::optional<VolumeSecret>();
  const bool wanted = WantsSecret(call);
  Found found = secrets_->Find(call.volume_id, wanted ? deadline : Shortly(deadline));
  if (!found.ok()) return wanted ? found : std::optional<VolumeSecret>();
  if (found->has_value() && (*found)->note.is_attachment && !IsUnmapped(call)) {
    return Differs(**found, "mode", "QEMU decrypts it");
  }
  return found;
}

absl::Status SecretAttachments::Register(const AttachCall& call, const std::optional<VolumeSecret>& there,
                                         AttachAnswer& answer, absl::Time deadline) {
  const bool attached = there && (IsUnmapped(call) ? there->note.is_attachment : answer.already_attached);
  if (attached && IsUnmapped(call)) {
    if (absl::Status same = CheckSame(*there, answer.mapping); !same.ok()) return same;
    answer.already_attached = true;
  }
  if (attached && there->has_value) {
    answer.libvirt_secret_uuid = there->uuid;
  } else {
    if (answer.passphrase.IsEmpty()) {
      return MakeError(Reason::kOperationInProgress, "the volume's libvirt secret went away meanwhile; try again");
    }
    const absl::StatusOr<PutSecret> put =
        secrets_->Put(call.volume_id, NoteOf(call, answer.mapping), std::move(answer.passphrase), deadline);
    if (!put.ok()) return put.status();
    answer.libvirt_secret_uuid = put->uuid;
  }
  answer.passphrase.Clear();
  if (!IsUnmapped(call)) Remember(call.volume_id);
  return absl::OkStatus();
}

Found SecretAttachments::FindAttached(const DetachRequest& request, const std::string& volume_id, absl::Time deadline) {
  if (!volume_id.empty()) return secrets_->Find(volume_id, deadline);
  absl::StatusOr<std::vector<VolumeSecret>> all = secrets_->List(deadline);
  if (!all.ok()) return all.status();
  const auto over = std::ranges::find_if(*all, [&request](const VolumeSecret& secret) {
    return secret.note.is_attachment && secret.note.device == request.device;
  });
  return over == all->end() ? std::optional<VolumeSecret>() : std::optional<VolumeSecret>(std::move(*over));
}

absl::Status SecretAttachments::Detach(const DetachRequest& request, bool keep, DetachAnswer& answer,
                                       absl::Time deadline) {
  if (secrets_ == nullptr) return absl::OkStatus();
  const Found found = FindAttached(request, answer.volume_id, answer.was_attached ? Shortly(deadline) : deadline);
  if (!found.ok()) {
    if (!answer.was_attached) return found.status();
    // Its mapping is closed, and whether it had a secret is not known.
    answer.warnings.push_back(absl::StrCat("volume ", answer.volume_id, " is detached, but if it had a libvirt secret ",
                                           "that is left behind: ", std::string(found.status().message())));
    return absl::OkStatus();
  }
  if (!found->has_value()) {
    Forget(answer.volume_id);
    return absl::OkStatus();
  }
  const VolumeSecret& secret = **found;
  answer.volume_id = secret.volume_id;
  if (!keep) {
    const absl::StatusOr<bool> removed = secrets_->Remove(secret.volume_id, deadline);
    if (!removed.ok()) return removed.status();
  }
  Forget(secret.volume_id);
  answer.was_attached = answer.was_attached || secret.note.is_attachment;
  return absl::OkStatus();
}

absl::StatusOr<Attachment> SecretAttachments::Describe(const std::string& volume_id, absl::StatusOr<Mapping> mapping,
                                                       absl::Time deadline) {
  const bool mapped = mapping.ok();
  if (!mapped && !HasReason(mapping.status(), Reason::kNotAttached)) return mapping.status();
  if (secrets_ == nullptr)
    return mapped ? absl::StatusOr<Attachment>(Attachment(*std::move(mapping))) : mapping.status();
  const Found found = secrets_->Find(volume_id, mapped ? Shortly(deadline) : deadline);
  if (!mapped) {
    if (!found.ok()) return found.status();
    if (!found->has_value() || !(*found)->note.is_attachment) return mapping.status();
    return AttachmentOf(**found);
  }
  Attachment attachment(*std::move(mapping));
  if (found.ok()) Complete(attachment, found->has_value() ? &**found : nullptr);
  return attachment;
}

AttachmentList SecretAttachments::List(std::vector<Mapping> mappings, absl::Time deadline) {
  AttachmentList list;
  for (Mapping& mapping : mappings) list.attachments.emplace_back(std::move(mapping));
  if (secrets_ == nullptr) return list;
  const absl::StatusOr<std::vector<VolumeSecret>> secrets = secrets_->List(deadline);
  if (!secrets.ok()) {
    list.unreachable.emplace_back("libvirt");
    return list;
  }
  std::map<std::string, const VolumeSecret*> by_volume;
  for (const VolumeSecret& secret : *secrets) by_volume[secret.volume_id] = &secret;
  for (Attachment& attachment : list.attachments) {
    const auto secret = by_volume.extract(attachment.volume_id);
    Complete(attachment, secret.empty() ? nullptr : secret.mapped());
  }
  for (const auto& [volume_id, secret] : by_volume) {
    if (secret->note.is_attachment) list.attachments.push_back(AttachmentOf(*secret));
  }
  std::ranges::sort(list.attachments, {}, &Attachment::volume_id);
  return list;
}

absl::Status SecretAttachments::CheckNotAttached(const std::string& volume_id, absl::Time deadline) {
  if (secrets_ == nullptr) return absl::OkStatus();
  const Found found = secrets_->Find(volume_id, deadline);
  if (!found.ok()) return found.status();
  if (!found->has_value() || !(*found)->note.is_attachment) return absl::OkStatus();
  return MakeError(Reason::kDeviceInUse, absl::StrCat("volume ", volume_id, " is attached; detach it first"),
                   {{"volume_id", volume_id}, {"libvirt_secret_uuid", (*found)->uuid}});
}

// A secret that was there and is not any more ended with libvirtd.
void SecretAttachments::Complete(Attachment& attachment, const VolumeSecret* secret) {
  const bool whole = secret != nullptr && secret->has_value;
  if (whole) Remember(attachment.volume_id);
  if (secret != nullptr) attachment.libvirt_secret_uuid = secret->uuid;
  if (whole || (secret == nullptr && !Remembers(attachment.volume_id))) return;
  if (attachment.state != MappingState::kActive) return;
  attachment.state = MappingState::kBroken;
  attachment.state_reason = secret == nullptr ? "its libvirt secret is gone; attach it again"
                                              : "its libvirt secret has no value; attach it again";
}

void SecretAttachments::Remember(const std::string& volume_id) {
  const std::lock_guard lock(mutex_);
  with_secret_.insert(volume_id);
}

void SecretAttachments::Forget(const std::string& volume_id) {
  const std::lock_guard lock(mutex_);
  with_secret_.erase(volume_id);
}

bool SecretAttachments::Remembers(const std::string& volume_id) {
  const std::lock_guard lock(mutex_);
  return with_secret_.contains(volume_id);
}

}  // namespace volcrypt
