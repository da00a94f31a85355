#include "agent/metrics/observed_key_manager.h"

#include <map>
#include <string_view>

#include "absl/time/clock.h"
#include "encryptors/reason.h"

namespace volcrypt {
namespace {

const absl::Status& StatusOf(const absl::Status& status) { return status; }

template <typename Result>
const absl::Status& StatusOf(const absl::StatusOr<Result>& result) {
  return result.status();
}

absl::Status StatusOf(const std::vector<CheckStep>& steps) {
  if (steps.empty() || steps.back().passed) return absl::OkStatus();
  return MakeError(steps.back().reason.value_or(Reason::kWorkerFailed), "");
}

template <typename Work>
auto Observe(Observer& observer, std::string_view key_manager, std::string_view call, const Work& work) {
  const absl::Time begin = absl::Now();
  auto result = work();
  observer.KeyCallEnded(key_manager, call, StatusOf(result), absl::Now() - begin);
  return result;
}

}  // namespace

absl::StatusOr<Key> ObservedKeyManager::Get(const std::string& key_id, const KeyCall& call) {
  return Observe(observer_, name_, "get", [&] { return manager_->Get(key_id, call); });
}

absl::StatusOr<KeyMetadata> ObservedKeyManager::GetMetadata(const std::string& key_id, const KeyCall& call) {
  return Observe(observer_, name_, "get_metadata", [&] { return manager_->GetMetadata(key_id, call); });
}

absl::StatusOr<std::string> ObservedKeyManager::Create(const NewKey& key, const KeyCall& call) {
  return Observe(observer_, name_, "create", [&] { return manager_->Create(key, call); });
}

absl::StatusOr<std::string> ObservedKeyManager::Import(const Key& key, const KeyCopy& description,
                                                       const KeyCall& call) {
  return Observe(observer_, name_, "import", [&] { return manager_->Import(key, description, call); });
}

absl::Status ObservedKeyManager::Delete(const std::string& key_id, bool force, const KeyCall& call) {
  return Observe(observer_, name_, "delete", [&] { return manager_->Delete(key_id, force, call); });
}

absl::StatusOr<FirstUseRecord> ObservedKeyManager::ClaimFirstUse(const std::string& key_id, const FirstUseRecord& claim,
                                                                 const KeyCall& call) {
  return Observe(observer_, name_, "claim_first_use", [&] { return manager_->ClaimFirstUse(key_id, claim, call); });
}

absl::Status ObservedKeyManager::RecordFirstUse(const std::string& key_id, const FirstUseRecord& record,
                                                const KeyCall& call) {
  return Observe(observer_, name_, "record_first_use", [&] { return manager_->RecordFirstUse(key_id, record, call); });
}

absl::Status ObservedKeyManager::DropFirstUse(const std::string& key_id, const std::string& volume_id,
                                              const KeyCall& call) {
  return Observe(observer_, name_, "drop_first_use", [&] { return manager_->DropFirstUse(key_id, volume_id, call); });
}

std::vector<CheckStep> ObservedKeyManager::Check(const KeyCall& call) {
  return Observe(observer_, name_, "check", [&] { return manager_->Check(call); });
}

KeyManagers Observed(KeyManagers key_managers, Observer& observer) {
  const std::string default_name = key_managers.DefaultName();
  std::map<std::string, KeyManagers::Entry> entries = std::move(key_managers).TakeEntries();
  for (auto& [name, entry] : entries) {
    entry.manager = std::make_unique<ObservedKeyManager>(name, std::move(entry.manager), observer);
  }
  return {default_name, std::move(entries)};
}

}  // namespace volcrypt
