#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/keys/key_managers.h"
#include "encryptors/key.h"

namespace volcrypt {

struct CopyKeyCall {
  KeyReference source;        // its id checked
  std::string key_manager;    // that takes the copy; empty: the default one
  std::string name;           // empty: the source's
  std::string owner_user_id;  // may read the copy as well, where the key manager knows users
};

struct CopiedKey {
  KeyReference key;
  std::vector<std::string> warnings;  // for the log
};

// Copies a key into another key manager, or once more into its own, and its first-use records with it: a volume that
// was formatted with the one must not be formatted again with the other. When a record cannot be carried over the copy
// is deleted again, unless its key manager has no place for records at all, which is a warning. INVALID_FIELD for a key
// manager that takes in no keys.
//
// A symmetric key that nothing vouches for is taken in as an opaque one, which opens the same volumes: nobody should
// count it as random because it has been copied. The caller's tokens go to the source alone when the two key managers
// are different ones, which may be of two clouds: the target is asked with the agent's own credentials. Records that
// come while the key is copied are carried over, too.
absl::StatusOr<CopiedKey> CopyKey(const KeyManagers& key_managers, const CopyKeyCall& request, const KeyCall& call);

}  // namespace volcrypt
