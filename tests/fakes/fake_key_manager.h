#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "agent/keys/key_manager.h"
#include "encryptors/reason.h"

namespace volcrypt {

// A key manager in memory. Each On... hook, when set, is asked first with the key's id; an error that it returns is the
// answer, otherwise the call goes on. Hooks run without the fake's lock, so they may wait. Calls are recorded as
// "verb key" or "verb key volume", and on whose behalf they were made. Thread-safe once keys and hooks are set.
class FakeKeyManager : public KeyManager {
 public:
  using Hook = std::function<absl::Status(const std::string& key_id)>;
  Hook on_get;
  Hook on_get_metadata;
  Hook on_create;
  Hook on_import;
  Hook on_delete;
  Hook on_claim;
  Hook on_record;
  Hook on_drop;
  Hook on_check_key_id;

  std::map<std::string, std::vector<uint8_t>> keys;                      // made up
  std::map<std::string, std::map<std::string, FirstUseRecord>> records;  // by key, then volume
  std::vector<std::string> calls;
  std::vector<std::string> callers;  // of each call: the caller's token, made up, "/" and the service's; else "agent"
  std::vector<RequestTrace> traces;  // likewise
  std::vector<CheckStep> check_steps;
  std::vector<KeyCopy> imported;
  std::vector<KeyType> imported_types;
  bool high_entropy = true;  // of every key
  std::string warning;       // of every call, when it is set

  absl::Status CheckKeyId(const std::string& key_id) const override {
    return on_check_key_id ? on_check_key_id(key_id) : absl::OkStatus();
  }

  absl::StatusOr<Key> Get(const std::string& key_id, const KeyCall& call) override {
    if (absl::Status failure = Ask("get " + key_id, on_get, key_id, call); !failure.ok()) return failure;
    const std::lock_guard lock(mutex_);
    const auto it = keys.find(key_id);
    if (it == keys.end()) return NotFound(key_id);
    absl::StatusOr<SecretBytes> bytes = SecretBytes::Allocate(it->second.size());
    if (!bytes.ok()) return bytes.status();
    std::ranges::copy(it->second, bytes->Bytes().begin());
    Key key;
    key.bytes = *std::move(bytes);
    key.high_entropy = high_entropy;
    return key;
  }

  absl::StatusOr<KeyMetadata> GetMetadata(const std::string& key_id, const KeyCall& call) override {
    if (absl::Status failure = Ask("metadata " + key_id, on_get_metadata, key_id, call); !failure.ok()) return failure;
    const std::lock_guard lock(mutex_);
    const auto it = keys.find(key_id);
    if (it == keys.end()) return NotFound(key_id);
    KeyMetadata metadata;
    metadata.key_id = key_id;
    metadata.algorithm = "aes";
    metadata.bit_length = static_cast<uint32_t>(it->second.size() * 8);
    metadata.status = "active";
    for (const auto& [volume_id, record] : records[key_id]) metadata.first_uses.push_back(record);
    return metadata;
  }

  absl::StatusOr<std::string> Create(const NewKey& key, const KeyCall& call) override {
    if (absl::Status failure = Ask("create", on_create, "", call); !failure.ok()) return failure;
    const std::lock_guard lock(mutex_);
    std::string key_id = "created-" + std::to_string(++created_);
    keys[key_id] = std::vector<uint8_t>(key.bit_length / 8, static_cast<uint8_t>(created_));
    return key_id;
  }

  absl::StatusOr<std::string> Import(const Key& key, const KeyCopy& description, const KeyCall& call) override {
    if (absl::Status failure = Ask("import", on_import, "", call); !failure.ok()) return failure;
    const std::lock_guard lock(mutex_);
    imported.push_back(description);
    imported_types.push_back(key.type);
    std::string key_id = "imported-" + std::to_string(++created_);
    keys[key_id] = std::vector<uint8_t>(key.bytes.Bytes().begin(), key.bytes.Bytes().end());
    return key_id;
  }

  absl::Status Delete(const std::string& key_id, bool force, const KeyCall& call) override {
    if (absl::Status failure = Ask("delete " + key_id, on_delete, key_id, call); !failure.ok()) return failure;
    const std::lock_guard lock(mutex_);
    if (!records[key_id].empty() && !force) return MakeError(Reason::kKeyInUse, "first uses are recorded");
    records.erase(key_id);
    return keys.erase(key_id) == 1 ? absl::OkStatus() : NotFound(key_id);
  }

  absl::StatusOr<FirstUseRecord> ClaimFirstUse(const std::string& key_id, const FirstUseRecord& claim,
                                               const KeyCall& call) override {
    if (absl::Status failure = Ask("claim " + key_id + " " + claim.volume_id, on_claim, key_id, call); !failure.ok()) {
      return failure;
    }
    const std::lock_guard lock(mutex_);
    if (!keys.contains(key_id)) return NotFound(key_id);
    return records[key_id].try_emplace(claim.volume_id, claim).first->second;
  }

  absl::Status RecordFirstUse(const std::string& key_id, const FirstUseRecord& record, const KeyCall& call) override {
    if (absl::Status failure = Ask("record " + key_id + " " + record.volume_id, on_record, key_id, call);
        !failure.ok()) {
      return failure;
    }
    const std::lock_guard lock(mutex_);
    if (!keys.contains(key_id)) return NotFound(key_id);
    records[key_id][record.volume_id] = record;
    return absl::OkStatus();
  }

  absl::Status DropFirstUse(const std::string& key_id, const std::string& volume_id, const KeyCall& call) override {
    if (absl::Status failure = Ask("drop " + key_id + " " + volume_id, on_drop, key_id, call); !failure.ok()) {
      return failure;
    }
    const std::lock_guard lock(mutex_);
    if (!keys.contains(key_id)) return NotFound(key_id);
    records[key_id].erase(volume_id);
    return absl::OkStatus();
  }

  std::vector<CheckStep> Check(const KeyCall& call) override {
    static_cast<void>(Ask("check", nullptr, "", call));
    return check_steps;
  }

 private:
  static absl::Status NotFound(const std::string& key_id) {
    return MakeError(Reason::kKeyNotFound, "there is no such key", {{"key_id", key_id}});
  }

  static std::string CallerOf(const KeyCall& call) {
    if (call.tokens == nullptr) return "agent";
    const auto text = [](const SecretBytes& token) { return std::string(token.Text(), token.Size()); };
    const bool has_service = !call.tokens->service_token.IsEmpty();
    return text(call.tokens->auth_token) + "/" + (has_service ? text(call.tokens->service_token) : "");
  }

  absl::Status Ask(const std::string& what, const Hook& hook, const std::string& key_id, const KeyCall& call) {
    {
      const std::lock_guard lock(mutex_);
      calls.push_back(what);
      callers.push_back(CallerOf(call));
      traces.push_back(call.trace == nullptr ? RequestTrace{} : *call.trace);
      if (!warning.empty() && call.warnings != nullptr) call.warnings->push_back(warning);
    }
    return hook ? hook(key_id) : absl::OkStatus();
  }

  std::mutex mutex_;
  uint32_t created_ = 0;
};

}  // namespace volcrypt
