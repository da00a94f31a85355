#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/keys/key_id.h"
#include "agent/keys/key_manager.h"
#include "agent/keys/key_managers_config.h"

namespace volcrypt {

struct BarbicanServices;

// OpenStack's key manager, reached with a token of its Keystone. docs/key-managers.md says what it needs and stores.
//
// Whose token is used: a caller's, where one came with the call and the section accepts it, else the agent's own.
// A caller's token that Barbican does not know any more is CALLER_TOKEN_REJECTED and nothing else is tried. One that
// may not do what is asked (403) is followed by the agent's own, except for what makes or deletes a key.
// KEY_ACCESS_DENIED says in its metadata whose was refused last (credential: caller or agent) and all that were tried.
class BarbicanKeyManager : public KeyManager {
 public:
  // `secret` is the application credential's secret when the section names one, else the user's password; without line
  // end. Nothing is sent before the first call. INVALID_FIELD for what cannot work: no credential, no secret, URLs that
  // are not http or https.
  static absl::StatusOr<std::unique_ptr<BarbicanKeyManager>> Make(const BarbicanConfig& config, SecretBytes secret);
  ~BarbicanKeyManager() override;

  // Keys are symmetric, passphrase or opaque secrets. The length of a symmetric one is its bit_length, or KEY_UNFIT.
  absl::Status CheckKeyId(const std::string& key_id) const override { return CanonicalKeyId(key_id).status(); }
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
  explicit BarbicanKeyManager(std::unique_ptr<BarbicanServices> services);

  const std::unique_ptr<BarbicanServices> services_;
};

}  // namespace volcrypt
