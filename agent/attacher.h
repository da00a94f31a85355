#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/attach_request.h"
#include "agent/attach_sequence.h"
#include "agent/attachment.h"
#include "agent/busy_volumes.h"
#include "agent/config.h"
#include "agent/keys/key_managers.h"
#include "agent/libvirt/volume_secrets.h"
#include "agent/mappings.h"
#include "agent/operation_slots.h"
#include "agent/pending_volumes.h"
#include "agent/secret_attachments.h"
#include "agent/secret_records.h"
#include "encryptors/encryptor.h"

namespace volcrypt {

struct ExtendCall {
  std::string volume_id;
  std::optional<KeyReference> key;
  bool caller_is_admin = false;
};

// The core: attach, detach and the rest as idempotent operations over an encryptor, the key managers and what the
// kernel says. Remembers nothing but what runs at the moment, so a restart has nothing to recover. Two operations on
// one volume never overlap: the second is OPERATION_IN_PROGRESS. A slot is held while the encryptor works, and never
// while a key manager is asked. Thread-safe.
//
// Where a key manager may be asked, the KeyCall says until when the whole operation may take and on whose behalf.
class Attacher {
 public:
  // All references outlive the attacher. `host` names this host in first-use records. Without `secrets` nothing is
  // registered in libvirt.
  Attacher(Encryptor& encryptor, const KeyManagers& key_managers, const Mappings& mappings, PendingVolumes& pending,
           OperationSlots& slots, VolumesConfig config, std::string host, VolumeSecrets* secrets = nullptr,
           SecretRecords records = {});

  absl::StatusOr<AttachAnswer> Attach(const AttachCall& call, const KeyCall& key_call,
                                      const BeforeFormat& before_format = {});
  // `keep_secret`: the volume's libvirt secret stays.
  absl::StatusOr<DetachAnswer> Detach(const DetachRequest& request, absl::Time deadline, bool keep_secret = false);
  // Takes as long as libvirt, for a moment, when something was left behind there. The error names the first that is
  // still there.
  absl::Status RemoveLeftSecrets(absl::Time deadline);
  absl::StatusOr<ExtendAnswer> Extend(const ExtendCall& call, const KeyCall& key_call);
  absl::StatusOr<Inspection> Inspect(const std::string& device, absl::Time deadline);
  // Takes no slot. While the helper does not answer it is what sysfs knows. Neither here nor in lists is a volume
  // attached before its attach is done.
  absl::StatusOr<Attachment> Get(const std::string& volume_id, absl::Time deadline);
  // Takes no slot and asks nobody but libvirt.
  AttachmentList List(absl::Time deadline);
  // While it is on, a volume that is not attached yet is not attached (DRAINING). Off at first.
  bool SetMaintenance(bool on) { return maintenance_.exchange(on); }
  bool InMaintenance() const { return maintenance_; }
  bool HasLibvirt() const { return secret_attachments_.IsOn(); }
  const KeyManagers& AllKeyManagers() const { return key_managers_; }
  // Drops this host's records, then the first-use record beside the key, if one is named. An error of `before_drop`
  // keeps that from being done.
  absl::Status Forget(const std::string& volume_id, const std::optional<KeyReference>& key, const KeyCall& key_call,
                      const std::function<absl::Status()>& before_drop = {});

 private:
  // A key that somebody named, its id checked and its key manager found.
  struct NamedKey {
    KeyManager* key_manager;
    std::string key_id;
  };

  absl::StatusOr<AttachAnswer> AttachOver(const AttachCall& call, AttachRequest request,
                                          const KeyManagers::Found& key_manager, const KeyCall& key_call,
                                          const BeforeFormat& before_format);
  absl::StatusOr<AttachAnswer> AttachWithoutDevice(const AttachRequest& request, KeyManager& key_manager,
                                                   bool is_attached, const KeyCall& key_call);
  absl::Status RollBack(const AttachCall& call, const AttachAnswer& answer, const absl::Status& error,
                        absl::Time deadline);
  absl::StatusOr<DetachAnswer> CloseMapping(const DetachRequest& request, absl::Time deadline);
  absl::StatusOr<Mapping> GetMapping(const std::string& volume_id, absl::Time deadline);
  absl::StatusOr<std::optional<NamedKey>> FindKey(const std::optional<KeyReference>& key) const;
  absl::StatusOr<NamedKey> RecordedKey(const std::string& volume_id, absl::Time deadline);
  absl::StatusOr<ExtendResult> ExtendMapped(const Mapping& mapping, const ExtendCall& call,
                                            const std::optional<NamedKey>& named, const KeyCall& key_call);
  absl::StatusOr<ExtendAnswer> ExtendUnmapped(const std::string& volume_id, absl::Time deadline);
  absl::StatusOr<ExtendResult> ExtendWithKey(const ExtendRequest& request, const NamedKey& named,
                                             const KeyCall& key_call);
  absl::StatusOr<ExtendResult> ExtendInSlot(const ExtendRequest& request, const Key* key, absl::Time deadline);
  absl::Status ForgetInSlot(const std::string& volume_id, absl::Time deadline);

  Encryptor& encryptor_;
  const KeyManagers& key_managers_;
  const Mappings& mappings_;
  PendingVolumes& pending_;
  OperationSlots& slots_;
  const VolumesConfig config_;
  const std::string host_;
  BusyVolumes busy_volumes_;
  SecretAttachments secret_attachments_;
  std::atomic<bool> maintenance_ = false;
};

}  // namespace volcrypt
