#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/keys/key_manager.h"
#include "agent/keys/key_managers_config.h"

namespace volcrypt {

class KmipClient;

// A key manager that speaks KMIP 1.1 to 1.4 over mutual TLS. A key's id is the server's unique identifier, or
// "name:NAME" for the one key of that name. Keys are symmetric keys, secret data (passwords are passphrases) and opaque
// objects. A key must be active, or have been: one that was deactivated or compromised still opens what was written
// with it, but no first use.
//
// Servers of KMIP 1 have no way to let exactly one host write an attribute, so first uses are not held here.
class KmipKeyManager : public KeyManager {
 public:
  // Reads the certificate files, whose paths are resolved already, and uses no network. `password` is empty where the
  // configuration names no user. Files that cannot be used are KEY_MANAGER_UNAVAILABLE and servers that are not
  // HOST:PORT are INVALID_FIELD, both saying what to do. A private key among systemd's credentials may be readable by
  // its group, because that is how systemd shows an access control list.
  static absl::StatusOr<std::unique_ptr<KmipKeyManager>> Open(const KmipConfig& config, SecretBytes password,
                                                              bool private_key_is_credential = false);
  ~KmipKeyManager() override;

  absl::StatusOr<Key> Get(const std::string& key_id, const KeyCall& call) override;
  absl::StatusOr<KeyMetadata> GetMetadata(const std::string& key_id, const KeyCall& call) override;
  absl::StatusOr<std::string> Create(const NewKey& key, const KeyCall& call) override;
  absl::StatusOr<std::string> Import(const Key& key, const KeyCopy& description, const KeyCall& call) override;
  absl::Status Delete(const std::string& key_id, bool force, const KeyCall& call) override;
  absl::StatusOr<FirstUseRecord> ClaimFirstUse(const std::string& key_id, const FirstUseRecord& claim,
                                               const KeyCall& call) override;
  absl::Status RecordFirstUse(const std::string& key_id, const FirstUseRecord& record, const KeyCall& call) override;
  absl::Status DropFirstUse(const std::string& key_id, const std::string& volume_id, const KeyCall& call) override;
  std::vector<CheckStep> Check(const KeyCall& call) override;

 private:
  KmipKeyManager(std::unique_ptr<KmipClient> client, absl::Duration timeout);
  absl::Time DeadlineOf(const KeyCall& call) const;

  const std::unique_ptr<KmipClient> client_;
  const absl::Duration timeout_;
};

}  // namespace volcrypt
