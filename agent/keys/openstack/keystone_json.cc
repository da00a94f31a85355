#include "agent/keys/openstack/keystone_json.h"

#include <nlohmann/json.hpp>

#include "agent/keys/openstack/json_fields.h"
#include "encryptors/reason.h"

namespace volcrypt {
namespace {

constexpr char kServiceType[] = "key-manager";

absl::Status Garbled(absl::string_view what) {
  return MakeError(Reason::kKeyManagerUnavailable,
                   absl::StrCat("Keystone's answer ", what, "; check that auth_url is Keystone's, with its /v3"),
                   {{"server", "Keystone"}});
}

absl::StatusOr<absl::Duration> LifetimeOf(const nlohmann::json& token) {
  absl::Time issued;
  absl::Time expires;
  std::string error;
  if (!absl::ParseTime(absl::RFC3339_full, TextOf(token, "issued_at"), &issued, &error) ||
      !absl::ParseTime(absl::RFC3339_full, TextOf(token, "expires_at"), &expires, &error) || expires <= issued ||
      expires == absl::InfiniteFuture() || issued == absl::InfinitePast()) {
    return Garbled("does not say how long the token is good for");
  }
  return expires - issued;
}

void CollectEndpoints(const nlohmann::json& service, std::vector<CatalogEndpoint>& collected) {
  const nlohmann::json* const endpoints = MemberOf(service, "endpoints");
  if (endpoints == nullptr || !endpoints->is_array()) return;
  for (const nlohmann::json& endpoint : *endpoints) {
    std::string region = TextOf(endpoint, "region_id");
    if (region.empty()) region = TextOf(endpoint, "region");
    collected.push_back(
        {.interface = TextOf(endpoint, "interface"), .region = std::move(region), .url = TextOf(endpoint, "url")});
  }
}

}  // namespace

absl::StatusOr<KeystoneTokenBody> ParseTokenBody(absl::string_view json) {
  const nlohmann::json document = ParseJson(json);
  const nlohmann::json* const token = MemberOf(document, "token");
  if (token == nullptr) return Garbled("to an authentication is not what Keystone answers");
  const absl::StatusOr<absl::Duration> lifetime = LifetimeOf(*token);
  if (!lifetime.ok()) return lifetime.status();

  KeystoneTokenBody body = {.lifetime = *lifetime};
  if (const nlohmann::json* const user = MemberOf(*token, "user"); user != nullptr) {
    body.user_id = TextOf(*user, "id");
    body.user_name = TextOf(*user, "name");
  }
  if (const nlohmann::json* const project = MemberOf(*token, "project"); project != nullptr) {
    body.project_name = TextOf(*project, "name");
  }
  if (const nlohmann::json* const roles = MemberOf(*token, "roles"); roles != nullptr && roles->is_array()) {
    for (const nlohmann::json& role : *roles) body.roles.push_back(TextOf(role, "name"));
  }
  if (const nlohmann::json* const catalog = MemberOf(*token, "catalog"); catalog != nullptr && catalog->is_array()) {
    for (const nlohmann::json& service : *catalog) {
      if (TextOf(service, "type") == kServiceType) CollectEndpoints(service, body.key_managers);
    }
  }
  return body;
}

}  // namespace volcrypt
