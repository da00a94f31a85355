#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/keys/key_manager.h"
#include "agent/keys/key_managers.h"
#include "agent/metrics/observer.h"

namespace volcrypt {

// Passes everything on to another key manager and tells an observer how each call ended: by the section's name, never
// by key or volume. The observer outlives this.
class ObservedKeyManager : public KeyManager {
 public:
  ObservedKeyManager(std::string name, std::unique_ptr<KeyManager> manager, Observer& observer)
      : name_(std::move(name)), manager_(std::move(manager)), observer_(observer) {}

  absl::Status CheckKeyId(const std::string& key_id) const override { return manager_->CheckKeyId(key_id); }
  absl::StatusOr<Key> Get(const std::string& key_id, const KeyCall& call) override;
  absl::StatusOr<KeyMetadata> GetMetadata(const std::string& key_id, const KeyCall& call) override;
  absl::StatusOr<std::string> Create(const NewKey& key, const KeyCall& call) override;
  absl::StatusOr<std::string> Import(const Key& key, const KeyCopy& description, const KeyCall& call) override;
  absl::Status Delete(const std::string& key_id, bool force, const KeyCall& call) override;
  absl::StatusOr<FirstUseRecord> ClaimFirstUse(const std::string& key_id, const FirstUseRecord& claim,
                                               const KeyCall& call) override;
  absl::Status RecordFirstUse(const std::string& key_id, const FirstUseRecord& record, const KeyCall& call) override;
  absl::Status DropFirstUse(const std::string& key_id, const std::string& volume_id, const KeyCall& call) override;
  // Observed with the reason of the step that failed.
  std::vector<CheckStep> Check(const KeyCall& call) override;

 private:
  const std::string name_;
  const std::unique_ptr<KeyManager> manager_;
  Observer& observer_;
};

// The same key managers, each observed.
KeyManagers Observed(KeyManagers key_managers, Observer& observer);

}  // namespace volcrypt
