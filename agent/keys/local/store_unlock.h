#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/keys/local/sqlite_database.h"
#include "encryptors/secret_bytes.h"

namespace volcrypt {

// Where a store's key-encryption key is.
struct KekLocation {
  std::string file;
  bool is_credential = false;
  bool beside_store = false;  // nobody chose the place: it may be made there, and there is a warning
};

// The key-encryption key, once it has been shown to be the store's: by the check row that it wrapped, which is made
// here in a store that has none and no keys. A missing one is made only for a store that never had any. To be called
// in a write transaction, which also keeps two processes from making two.
absl::StatusOr<SecretBytes> UnlockStore(SqliteDatabase& database, const KekLocation& location,
                                        std::vector<std::string>& warnings);

}  // namespace volcrypt
