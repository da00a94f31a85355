#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/keys/key_manager.h"
#include "agent/keys/secret_file.h"

namespace volcrypt {

struct FixedKeyOptions {
  SecretFile file;
  // Somebody says that the key was made by a random generator. Nothing else can: whoever writes a key into a
  // configuration may have thought it up.
  bool high_entropy = false;
};

// The key manager of nova's and cinder's fixed_key (ConfKeyManager): one key, kFixedKeyId, hexadecimal text in a file,
// read once. It makes, takes in and deletes no keys and holds no first-use records: NotHeld.
class FixedKeyManager : public KeyManager {
 public:
  // KEY_UNFIT for a file that is not the hexadecimal text of whole bytes, and for `high_entropy` below 128 bits.
  static absl::StatusOr<std::unique_ptr<FixedKeyManager>> Open(const FixedKeyOptions& options);

  // What an administrator should know.
  std::vector<std::string> Warnings() const;

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
  FixedKeyManager(FixedKeyOptions options, SecretBytes key) : options_(std::move(options)), key_(std::move(key)) {}

  const FixedKeyOptions options_;
  const SecretBytes key_;
};

}  // namespace volcrypt
