#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/keys/request_trace.h"
#include "encryptors/key.h"
#include "encryptors/reason.h"
#include "encryptors/secret_bytes.h"

namespace volcrypt {

// The Keystone tokens that a caller sent with its request: gRPC metadata x-auth-token and x-service-token.
struct CallerTokens {
  SecretBytes auth_token;
  SecretBytes service_token;  // empty: none
};

// Until when one call to a key manager may take, and on whose behalf it is made.
// A deadline alone is a call with the agent's own credentials.
struct KeyCall {
  // NOLINTNEXTLINE(google-explicit-constructor): most calls are nothing but a deadline
  KeyCall(absl::Time until, const CallerTokens* caller_tokens = nullptr) : deadline(until), tokens(caller_tokens) {}

  absl::Time deadline;
  const CallerTokens* tokens;  // outlive the call, and are not kept beyond it
  // For what an operator should know of a call that succeeded, as a whole sentence; null: nobody listens.
  std::vector<std::string>* warnings = nullptr;
  // For the key manager's own log; null: the agent asks for itself. Outlives the call.
  const RequestTrace* trace = nullptr;

  // The same call with another deadline.
  KeyCall Until(absl::Time until) const {
    KeyCall call = *this;
    call.deadline = until;
    return call;
  }
};

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

// What is said of key bytes that come from elsewhere.
struct KeyCopy {
  std::string algorithm;    // may be empty: not known
  uint32_t bit_length = 0;  // of the bytes
  std::string name;
  std::string owner_user_id;  // may read the copy as well, where the key manager knows users; empty: nobody else
};

// One step of KeyManager::Check, in the order in which they were taken. The first that fails is the last, of each
// server and of each credential.
struct CheckStep {
  std::string
      name;  // resolve, connect, tls, authenticate, catalog, read, create; caller for its token; open for a file
  bool passed = false;
  std::string detail;            // what was found
  std::string remedy;            // what the operator can do, when it failed or passed with a warning
  std::optional<Reason> reason;  // why it failed
};

// A place that keeps keys: a section [key_managers.NAME] of the configuration. Thread-safe. Every call is bounded by
// its deadline and by the section's own timeout; errors carry the reasons KEY_NOT_FOUND, KEY_ACCESS_DENIED, KEY_UNFIT,
// KEY_IN_USE, KEY_MANAGER_UNAVAILABLE, KEY_MANAGER_TIMED_OUT, CALLER_TOKEN_REJECTED, INVALID_KEY_ID. What a key manager
// cannot do at all is of the code kUnimplemented without a reason (NotHeld), which callers turn into what they need.
class KeyManager {
 public:
  virtual ~KeyManager() = default;

  // Whether a key here can have this id, which callers can name (IsKeyId), without asking anybody. INVALID_KEY_ID.
  virtual absl::Status CheckKeyId(const std::string& /*key_id*/) const { return absl::OkStatus(); }
  virtual absl::StatusOr<Key> Get(const std::string& key_id, const KeyCall& call) = 0;
  virtual absl::StatusOr<KeyMetadata> GetMetadata(const std::string& key_id, const KeyCall& call) = 0;
  // The key manager generates the bytes; the answer is the new key's id.
  virtual absl::StatusOr<std::string> Create(const NewKey& key, const KeyCall& call) = 0;
  // Takes in a copy of a key; the answer is its id here. A symmetric one counts as random from then on, so whoever has
  // one that nothing vouches for gives it as opaque.
  virtual absl::StatusOr<std::string> Import(const Key& key, const KeyCopy& description, const KeyCall& call) = 0;
  // KEY_IN_USE while first uses are recorded, unless forced.
  virtual absl::Status Delete(const std::string& key_id, bool force, const KeyCall& call) = 0;

  // Claims the first use of claim.volume_id: exactly one host wins. The answer is the record that stands afterwards:
  // the given one when it was claimed now, else the one that was there before.
  virtual absl::StatusOr<FirstUseRecord> ClaimFirstUse(const std::string& key_id, const FirstUseRecord& claim,
                                                       const KeyCall& call) = 0;
  // Writes the record as it is given, replacing what stands for its volume.
  virtual absl::Status RecordFirstUse(const std::string& key_id, const FirstUseRecord& record, const KeyCall& call) = 0;
  // Takes the volume's record away; none is not an error.
  virtual absl::Status DropFirstUse(const std::string& key_id, const std::string& volume_id, const KeyCall& call) = 0;

  // Goes through what a key's use would need, as far as that is possible without one, and changes nothing.
  virtual std::vector<CheckStep> Check(const KeyCall& call) = 0;
};

// "This key manager cannot do that", for first-use records that it has no room for and keys that it cannot take in.
inline absl::Status NotHeld(const std::string& what) { return absl::UnimplementedError(what); }
inline bool IsNotHeld(const absl::Status& status) { return absl::IsUnimplemented(status); }

}  // namespace volcrypt
