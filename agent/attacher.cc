#include "agent/attacher.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "agent/error_precedence.h"
#include "agent/request_fields.h"
#include "agent/unmapped_size.h"
#include "encryptors/passphrase.h"
#include "encryptors/reason.h"

namespace volcrypt {
namespace {

// sysfs has to be read before the caller stops waiting for a helper that does not answer.
absl::Time MostOf(absl::Time deadline) {
  const absl::Time now = absl::Now();
  return now + (deadline - now) * 0.75;
}

bool HelperDidNotAnswer(const absl::Status& error) {
  return HasReason(error, Reason::kHelperUnavailable) || HasReason(error, Reason::kDeviceTimedOut) ||
         HasReason(error, Reason::kTooManyOperations);
}

absl::Status CheckDetach(const DetachRequest& request) {
  if (request.volume_id.empty() == request.device.empty()) {
    return MakeError(Reason::kInvalidField, "name the volume or the device, and not both", {{"field", "volume_id"}});
  }
  return request.device.empty() ? CheckVolumeId(request.volume_id) : CheckDevicePath(request.device);
}

absl::Status KeyRequired(const std::string& volume_id) {
  return MakeError(Reason::kKeyRequired,
                   absl::StrCat("volume ", volume_id, " is LUKS2, which takes its key to be extended; name the key"),
                   {{"field", "key"}, {"volume_id", volume_id}});
}

absl::Status Draining(const std::string& volume_id) {
  return MakeError(Reason::kDraining,
                   absl::StrCat("volume ", volume_id,
                                " is not attached: this host is drained for maintenance (volcryptctl maintenance off)"),
                   {{"volume_id", volume_id}});
}

// None is named where the header's counts.
absl::Status CheckKeyId(const KeyManager& manager, const std::string& key_id) {
  return key_id.empty() ? absl::OkStatus() : manager.CheckKeyId(key_id);
}

absl::Status NotYetAttached(const std::string& volume_id) {
  return MakeError(Reason::kNotAttached, absl::StrCat("volume ", volume_id, " is being attached"),
                   {{"volume_id", volume_id}});
}

}  // namespace

Attacher::Attacher(Encryptor& encryptor, const KeyManagers& key_managers, const Mappings& mappings,
                   PendingVolumes& pending, OperationSlots& slots, VolumesConfig config, std::string host,
                   VolumeSecrets* secrets, SecretRecords records)
    : encryptor_(encryptor),
      key_managers_(key_managers),
      mappings_(mappings),
      pending_(pending),
      slots_(slots),
      config_(std::move(config)),
      host_(std::move(host)),
      secret_attachments_(secrets, std::move(records), mappings) {}

absl::StatusOr<AttachAnswer> Attacher::Attach(const AttachCall& call, const KeyCall& key_call,
                                              const BeforeFormat& before_format) {
  absl::StatusOr<AttachRequest> request = MakeAttachRequest(call, config_, HasLibvirt());
  if (!request.ok()) return request.status();
  const absl::StatusOr<KeyManagers::Found> key_manager = key_managers_.FindFor(request->key);
  if (!key_manager.ok()) return key_manager.status();
  if (absl::Status checked = CheckKeyId(*key_manager->manager, request->key.key_id); !checked.ok()) return checked;
  // Records outlive the configuration, so they never say "the default one".
  request->key.key_manager = key_manager->name;

  const absl::StatusOr<BusyVolumes::Hold> hold = busy_volumes_.Take(call.volume_id);
  if (!hold.ok()) return hold.status();
  return AttachOver(call, *std::move(request), *key_manager, key_call, before_format);
}

absl::StatusOr<AttachAnswer> Attacher::AttachOver(const AttachCall& call, AttachRequest request,
                                                  const KeyManagers::Found& key_manager, const KeyCall& key_call,
                                                  const BeforeFormat& before_format) {
  const absl::StatusOr<std::optional<VolumeSecret>> secret = secret_attachments_.FindFor(call, key_call.deadline);
  if (!secret.ok()) return secret.status();
  const bool has_value = secret->has_value() && (*secret)->has_value;
  const bool is_attached = secret->has_value() && (*secret)->note.is_attachment;
  const bool mapped = mappings_.Find(call.volume_id).has_value();
  if (!mapped && !is_attached && InMaintenance()) return Draining(call.volume_id);
  std::optional<PendingVolumes::Making> making;
  if (!mapped && !is_attached) making.emplace(pending_, call.volume_id);
  // What libvirt says is attached has been formatted, and maybe is in use, whatever this device looks like.
  if (is_attached) request.may_format = false;
  const bool unmapped = is_attached && has_value && request.leave_unmapped;
  if (unmapped) request.attached_as_uuid = (*secret)->note.luks_uuid;
  if (mapped && has_value) request.check_key = false;
  absl::StatusOr<std::map<std::string, std::string>> decrypted_by_qemu =
      secret_attachments_.DevicesOfOthers(call.volume_id);
  if (!decrypted_by_qemu.ok()) return decrypted_by_qemu.status();
  request.decrypted_by_qemu = *std::move(decrypted_by_qemu);

  absl::StatusOr<AttachAnswer> answer;
  if (request.device.empty()) {
    answer = AttachWithoutDevice(request, *key_manager.manager, is_attached && has_value, key_call);
  } else {
    AttachSequence sequence({.encryptor = encryptor_,
                             .slots = slots_,
                             .key_manager = *key_manager.manager,
                             .default_key_manager = key_managers_.DefaultName(),
                             .host = host_,
                             .before_format = before_format,
                             .keep_passphrase = WantsSecret(call)},
                            std::move(request), key_call);
    answer = sequence.Run(mapped || unmapped);
  }
  if (!answer.ok()) return answer;
  if (!answer->already_attached && call.mode != AttachMode::kLibvirtSecret) {
    const absl::Status is_free = secret_attachments_.CheckDeviceFree(call.volume_id, answer->mapping.device);
    if (!is_free.ok()) return RollBack(call, *answer, is_free, key_call.deadline);
  }
  if (!WantsSecret(call)) {
    if (has_value) answer->libvirt_secret_uuid = (*secret)->uuid;
    return answer;
  }
  absl::Status registered = secret_attachments_.Register(call, *secret, *answer, key_call.deadline);
  if (!registered.ok()) return RollBack(call, *answer, registered, key_call.deadline);
  return answer;
}

// The caller vouches for what the network disk holds.
absl::StatusOr<AttachAnswer> Attacher::AttachWithoutDevice(const AttachRequest& request, KeyManager& key_manager,
                                                           bool is_attached, const KeyCall& key_call) {
  AttachAnswer answer;
  answer.mapping.volume_id = request.volume_id;
  answer.mapping.read_only = request.read_only;
  answer.mapping.key = request.key;
  if (is_attached) return answer;
  const absl::StatusOr<Key> key = key_manager.Get(request.key.key_id, key_call.Until(MostOf(key_call.deadline)));
  if (!key.ok()) return key.status();
  absl::StatusOr<SecretBytes> passphrase = PassphraseOf(*key);
  if (!passphrase.ok()) return passphrase.status();
  answer.passphrase = *std::move(passphrase);
  return answer;
}

// Deferred: whoever probes the new mapping just then must not keep it open.
absl::Status Attacher::RollBack(const AttachCall& call, const AttachAnswer& answer, const absl::Status& error,
                                absl::Time deadline) {
  if (answer.already_attached || call.mode == AttachMode::kLibvirtSecret) return error;
  const DetachRequest request{.volume_id = call.volume_id, .device = "", .deferred = true};
  return WithRollbackError(error, encryptor_.Detach(request, deadline).status());
}

absl::StatusOr<DetachAnswer> Attacher::Detach(const DetachRequest& request, absl::Time deadline, bool keep_secret) {
  if (absl::Status checked = CheckDetach(request); !checked.ok()) return checked;
  std::optional<absl::StatusOr<BusyVolumes::Hold>> hold;
  if (!request.volume_id.empty()) hold.emplace(busy_volumes_.Take(request.volume_id));
  if (hold && !hold->ok()) return hold->status();
  absl::StatusOr<DetachAnswer> answer = CloseMapping(request, deadline);
  if (!answer.ok()) return answer;
  const absl::Status done = secret_attachments_.Detach(keep_secret, *answer, deadline);
  if (!done.ok()) return done;
  return answer;
}

// Its mapping, if it has one. What QEMU decrypts is known by its device too, even when that is gone.
absl::StatusOr<DetachAnswer> Attacher::CloseMapping(const DetachRequest& request, absl::Time deadline) {
  const absl::StatusOr<OperationSlots::Slot> slot = slots_.Take(deadline);
  if (!slot.ok()) return slot.status();
  absl::StatusOr<DetachResult> closed = encryptor_.Detach(request, deadline);
  const bool no_device = HasReason(closed.status(), Reason::kDeviceNotFound);
  if (request.device.empty() || (closed.ok() && closed->was_attached) || (!closed.ok() && !no_device)) {
    return closed.ok() ? absl::StatusOr<DetachAnswer>(DetachAnswer(*std::move(closed))) : closed.status();
  }
  const absl::StatusOr<std::string> volume_id =
      secret_attachments_.VolumeOver(closed.ok() ? closed->device : request.device, deadline);
  if (!volume_id.ok()) return volume_id.status();
  if (volume_id->empty() && !closed.ok()) return closed.status();
  DetachAnswer answer;
  answer.volume_id = *volume_id;
  return answer;
}

absl::Status Attacher::RemoveLeftSecrets(absl::Time deadline) {
  for (const std::string& volume_id : secret_attachments_.LeftBehind()) {
    const absl::StatusOr<BusyVolumes::Hold> hold = busy_volumes_.Take(volume_id);
    if (!hold.ok()) continue;
    if (absl::Status removed = secret_attachments_.RemoveLeft(volume_id, deadline); !removed.ok()) return removed;
  }
  return absl::OkStatus();
}

absl::StatusOr<ExtendAnswer> Attacher::Extend(const ExtendCall& call, const KeyCall& key_call) {
  if (absl::Status checked = CheckVolumeId(call.volume_id); !checked.ok()) return checked;
  const absl::StatusOr<std::optional<NamedKey>> named = FindKey(call.key);
  if (!named.ok()) return named.status();
  const absl::StatusOr<BusyVolumes::Hold> hold = busy_volumes_.Take(call.volume_id);
  if (!hold.ok()) return hold.status();

  const std::optional<Mapping> mapping = mappings_.Find(call.volume_id);
  if (!mapping) return ExtendUnmapped(call.volume_id, key_call.deadline);
  absl::StatusOr<ExtendResult> extended = ExtendMapped(*mapping, call, *named, key_call);
  if (!extended.ok()) return extended.status();
  return ExtendAnswer(*std::move(extended));
}

absl::StatusOr<ExtendResult> Attacher::ExtendMapped(const Mapping& mapping, const ExtendCall& call,
                                                    const std::optional<NamedKey>& named, const KeyCall& key_call) {
  const absl::Time deadline = key_call.deadline;
  const ExtendRequest request{.volume_id = call.volume_id, .allowed_ciphers = config_.allowed_ciphers};
  if (mapping.encryption.format != Format::kLuks2) return ExtendInSlot(request, nullptr, deadline);
  if (named) return ExtendWithKey(request, *named, key_call);
  if (!call.caller_is_admin) return KeyRequired(call.volume_id);
  const absl::StatusOr<NamedKey> recorded = RecordedKey(call.volume_id, deadline);
  if (!recorded.ok()) return recorded.status();
  return ExtendWithKey(request, *recorded, key_call);
}

// What QEMU decrypts has nothing on this host that could grow: the new size is found and told, and QEMU has to be told
// it by whoever runs the guest.
absl::StatusOr<ExtendAnswer> Attacher::ExtendUnmapped(const std::string& volume_id, absl::Time deadline) {
  absl::StatusOr<VolumeSecret> secret = secret_attachments_.Unmapped(volume_id, deadline);
  if (!secret.ok()) return secret.status();
  if (absl::Status has = CheckHasDevice(*secret); !has.ok()) return has;
  const absl::StatusOr<Inspection> found = Inspect(secret->note.device, deadline);
  if (!found.ok()) return found.status();
  const absl::StatusOr<uint64_t> size_bytes = SizeForGuest(*secret, *found);
  if (!size_bytes.ok()) return size_bytes.status();
  ExtendAnswer answer;
  answer.previous_size_bytes = secret->note.size_bytes;
  secret->note.size_bytes = *size_bytes;
  if (*size_bytes != answer.previous_size_bytes) {
    if (absl::Status amended = secret_attachments_.Amend(*secret, deadline); !amended.ok()) return amended;
  }
  answer.mapping = AttachmentOf(*secret);
  answer.unmapped_secret_uuid = secret->uuid;
  return answer;
}

absl::StatusOr<ExtendResult> Attacher::ExtendWithKey(const ExtendRequest& request, const NamedKey& named,
                                                     const KeyCall& key_call) {
  const absl::Time deadline = key_call.deadline;
  const absl::StatusOr<Key> key = named.key_manager->Get(named.key_id, key_call.Until(MostOf(deadline)));
  if (key.ok()) return ExtendInSlot(request, &*key, deadline);
  if (ComesBeforeDevice(key.status()) || absl::Now() >= deadline) return key.status();
  // What is wrong with attachment, device or header comes before what is wrong with the key.
  absl::StatusOr<ExtendResult> result = ExtendInSlot(request, nullptr, deadline);
  if (HasReason(result.status(), Reason::kKeyRequired)) return key.status();
  return result;
}

absl::StatusOr<ExtendResult> Attacher::ExtendInSlot(const ExtendRequest& request, const Key* key, absl::Time deadline) {
  const absl::StatusOr<OperationSlots::Slot> slot = slots_.Take(deadline);
  if (!slot.ok()) return slot.status();
  return encryptor_.Extend(request, key, deadline);
}

absl::StatusOr<Inspection> Attacher::Inspect(const std::string& device, absl::Time deadline) {
  if (absl::Status checked = CheckDevicePath(device); !checked.ok()) return checked;
  const absl::StatusOr<OperationSlots::Slot> slot = slots_.Take(deadline);
  if (!slot.ok()) return slot.status();
  return encryptor_.Inspect(device, deadline);
}

absl::StatusOr<Attachment> Attacher::Get(const std::string& volume_id, absl::Time deadline) {
  if (absl::Status checked = CheckVolumeId(volume_id); !checked.ok()) return checked;
  const PendingVolumes::Look look(pending_);
  absl::StatusOr<Attachment> attachment =
      secret_attachments_.Describe(volume_id, GetMapping(volume_id, deadline), deadline);
  if (attachment.ok() && look.SawMaking(volume_id)) attachment = NotYetAttached(volume_id);
  if (!HasReason(attachment.status(), Reason::kNotAttached)) return attachment;
  const WaitingVolumes waiting = look.Waiting();
  const auto found = waiting.find(volume_id);
  return found == waiting.end() ? attachment : found->second;
}

absl::StatusOr<Mapping> Attacher::GetMapping(const std::string& volume_id, absl::Time deadline) {
  absl::StatusOr<Mapping> mapping = encryptor_.Query(volume_id, MostOf(deadline));
  if (mapping.ok() || !HelperDidNotAnswer(mapping.status())) return mapping;
  std::optional<Mapping> known = mappings_.Find(volume_id);
  if (!known) return mapping;
  return *std::move(known);
}

AttachmentList Attacher::List(absl::Time deadline) {
  const PendingVolumes::Look look(pending_);
  AttachmentList list = secret_attachments_.List(mappings_.List(), deadline);
  ApplyPending(look, list.attachments);
  return list;
}

absl::Status Attacher::Forget(const std::string& volume_id, const std::optional<KeyReference>& key,
                              const KeyCall& key_call, const std::function<absl::Status()>& before_drop) {
  if (absl::Status checked = CheckVolumeId(volume_id); !checked.ok()) return checked;
  const absl::StatusOr<std::optional<NamedKey>> named = FindKey(key);
  if (!named.ok()) return named.status();
  const absl::StatusOr<BusyVolumes::Hold> hold = busy_volumes_.Take(volume_id);
  if (!hold.ok()) return hold.status();
  absl::Status unused = secret_attachments_.CheckNotAttached(volume_id, key_call.deadline);
  if (!unused.ok()) return unused;
  if (absl::Status agreed = before_drop ? before_drop() : absl::OkStatus(); !agreed.ok()) return agreed;
  // The helper refuses while the volume is attached, so it goes first.
  if (absl::Status forgotten = ForgetInSlot(volume_id, key_call.deadline); !forgotten.ok()) return forgotten;
  if (!named->has_value()) return absl::OkStatus();
  absl::Status dropped = (*named)->key_manager->DropFirstUse((*named)->key_id, volume_id, key_call);
  // Where no records are kept there is none left.
  return IsNotHeld(dropped) ? absl::OkStatus() : dropped;
}

absl::Status Attacher::ForgetInSlot(const std::string& volume_id, absl::Time deadline) {
  const absl::StatusOr<OperationSlots::Slot> slot = slots_.Take(deadline);
  if (!slot.ok()) return slot.status();
  return encryptor_.Forget(volume_id, deadline);
}

absl::StatusOr<std::optional<Attacher::NamedKey>> Attacher::FindKey(const std::optional<KeyReference>& key) const {
  if (!key || (key->key_manager.empty() && key->key_id.empty())) return std::optional<NamedKey>();
  absl::StatusOr<std::string> key_id = ParseKeyId(key->key_id);
  if (!key_id.ok()) return key_id.status();
  const absl::StatusOr<KeyManagers::Found> found =
      key_managers_.FindFor({.key_manager = key->key_manager, .key_id = *key_id});
  if (!found.ok()) return found.status();
  if (absl::Status checked = found->manager->CheckKeyId(*key_id); !checked.ok()) return checked;
  return std::optional<NamedKey>({.key_manager = found->manager, .key_id = *std::move(key_id)});
}

// This host's own record, not the header's token: what it says may be relied upon.
absl::StatusOr<Attacher::NamedKey> Attacher::RecordedKey(const std::string& volume_id, absl::Time deadline) {
  const absl::StatusOr<Mapping> mapping = encryptor_.Query(volume_id, deadline);
  if (!mapping.ok()) return mapping.status();
  absl::StatusOr<std::optional<NamedKey>> named = FindKey(mapping->key);
  if (!named.ok()) return named.status();
  if (!named->has_value()) return KeyRequired(volume_id);
  return **std::move(named);
}

}  // namespace volcrypt
