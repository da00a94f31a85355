#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "encryptors/encryptor.h"

namespace volcrypt {

// "Volume V is being, or was, formatted as LUKS UUID U by host H", kept beside the key so that every host can see it.
// It only ever forbids a format.
struct FirstUseRecord {
  enum class State : uint8_t { kClaimed, kFormatted };
  std::string volume_id;
  State state = State::kClaimed;
  std::string host;
  std::string luks_uuid;
};

struct KeyMetadata {
  std::string key_id;
  KeyType type = KeyType::kSymmetric;
  std::string algorithm;  // aes
  uint32_t bit_length = 0;
  std::string name;    // for people
  std::string status;  // the key manager's word: active
  std::optional<absl::Time> created_at;
  std::vector<FirstUseRecord> first_uses;
};

struct NewKey {
  std::string algorithm = "aes";
  uint32_t bit_length = 256;
  std::string name;
};

// A place that keeps keys: a section [key_managers.NAME] of the configuration. Thread-safe. Every call is bounded by
// its deadline; errors carry the reasons KEY_NOT_FOUND, KEY_ACCESS_DENIED, KEY_UNFIT, KEY_IN_USE,
// KEY_MANAGER_UNAVAILABLE, KEY_MANAGER_TIMED_OUT, INVALID_KEY_ID.
class KeyManager {
 public:
  virtual ~KeyManager() = default;

  virtual absl::StatusOr<Key> Get(const std::string& key_id, absl::Time deadline) = 0;
  virtual absl::StatusOr<KeyMetadata> GetMetadata(const std::string& key_id, absl::Time deadline) = 0;
  // The key manager generates the bytes; the answer is the new key's id.
  virtual absl::StatusOr<std::string> Create(const NewKey& key, absl::Time deadline) = 0;
  // KEY_IN_USE while first uses are recorded, unless forced.
  virtual absl::Status Delete(const std::string& key_id, bool force, absl::Time deadline) = 0;

  // Claims the first use of claim.volume_id: exactly one host wins. The answer is the record that stands afterwards:
  // the given one when it was claimed now, else the one that was there before.
  virtual absl::StatusOr<FirstUseRecord> ClaimFirstUse(const std::string& key_id, const FirstUseRecord& claim,
                                                       absl::Time deadline) = 0;
  // Writes the record as it is given, replacing what stands for its volume.
  virtual absl::Status RecordFirstUse(const std::string& key_id, const FirstUseRecord& record, absl::Time deadline) = 0;
  // Takes the volume's record away; none is not an error.
  virtual absl::Status DropFirstUse(const std::string& key_id, const std::string& volume_id, absl::Time deadline) = 0;
};

}  // namespace volcrypt
