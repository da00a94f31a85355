// What is read from the bodies of Keystone's answers. Pure; what is not as expected is KEY_MANAGER_UNAVAILABLE.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace volcrypt {

struct CatalogEndpoint {
  std::string interface;  // public, internal, admin
  std::string region;
  std::string url;
};

// Of POST /v3/auth/tokens. The token itself is in a header.
struct KeystoneTokenBody {
  absl::Duration lifetime;  // expires_at less issued_at, both of the server's clock; positive
  std::string user_id;
  std::string user_name;
  std::string project_name;
  std::vector<std::string> roles;
  std::vector<CatalogEndpoint> key_managers;  // the catalog's entries of type key-manager
};

absl::StatusOr<KeystoneTokenBody> ParseTokenBody(absl::string_view json);

}  // namespace volcrypt
