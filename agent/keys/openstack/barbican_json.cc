#include "agent/keys/openstack/barbican_json.h"

#include <limits>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "agent/keys/key_id.h"
#include "agent/keys/openstack/json_fields.h"
#include "agent/keys/openstack/remote_error.h"
#include "agent/keys/openstack/service_url.h"
#include "encryptors/reason.h"

namespace volcrypt {
namespace {

using nlohmann::json;

constexpr uint32_t kXtsBits = 512;

absl::Status Garbled(absl::string_view what) {
  return MakeError(Reason::kKeyManagerUnavailable,
                   absl::StrCat("Barbican's answer is no ", what, "; check that its endpoint is Barbican's"),
                   {{"server", "Barbican"}});
}

// Barbican writes UTC without saying so: 2026-01-31T12:00:00.123456, or without the fraction.
std::optional<absl::Time> TimeOf(const json& value, const char* name) {
  absl::Time time;
  std::string error;
  if (!absl::ParseTime("%Y-%m-%dT%H:%M:%E*S", TextOf(value, name), absl::UTCTimeZone(), &time, &error)) {
    return std::nullopt;
  }
  return time;
}

absl::StatusOr<std::string> ReferenceOf(const json& document, const char* member) {
  absl::StatusOr<std::string> id = CanonicalKeyId(LastSegment(TextOf(document, member)));
  if (!id.ok()) return Garbled(absl::StrCat("JSON with a ", member));
  return id;
}

}  // namespace

absl::StatusOr<SecretDescription> ParseSecretDescription(absl::string_view text) {
  const json document = ParseJson(text);
  SecretDescription secret = {.name = TextOf(document, "name"),
                              .secret_type = TextOf(document, "secret_type"),
                              .status = TextOf(document, "status"),
                              .algorithm = TextOf(document, "algorithm")};
  if (secret.secret_type.empty() || secret.status.empty()) return Garbled("description of a secret");
  if (const json* const types = MemberOf(document, "content_types"); types != nullptr) {
    secret.content_type = TextOf(*types, "default");
  }
  const uint64_t bits = NumberOf(document, "bit_length").value_or(0);
  if (bits > std::numeric_limits<uint32_t>::max()) return Garbled("description of a secret: bit_length");
  secret.bit_length = static_cast<uint32_t>(bits);
  secret.created_at = TimeOf(document, "created");
  return secret;
}

absl::StatusOr<std::string> ParseReference(absl::string_view text, const char* member) {
  return ReferenceOf(ParseJson(text), member);
}

absl::StatusOr<OrderState> ParseOrderState(absl::string_view text) {
  const json document = ParseJson(text);
  OrderState order = {.status = TextOf(document, "status"),
                      .error_code = TextOf(document, "error_status_code"),
                      .error_reason = PlainLine(TextOf(document, "error_reason"))};
  if (order.status.empty()) return Garbled("state of an order");
  if (order.status == "ACTIVE") {
    absl::StatusOr<std::string> id = ReferenceOf(document, "secret_ref");
    if (!id.ok()) return id.status();
    order.secret_id = *std::move(id);
  }
  return order;
}

std::string OrderBody(const NewKey& key) {
  json meta = {{"algorithm", key.algorithm},
               {"bit_length", key.bit_length},
               {"payload_content_type", "application/octet-stream"}};
  // Its own generator makes 512 bits of AES for this mode only; of other lengths the mode says nothing.
  if (key.bit_length == kXtsBits) meta["mode"] = "xts";
  if (!key.name.empty()) meta["name"] = key.name;
  return TextOfJson({{"type", "key"}, {"meta", std::move(meta)}});
}

absl::StatusOr<std::map<std::string, std::string>> ParseUserMetadata(absl::string_view text) {
  const json document = ParseJson(text);
  const json* const metadata = MemberOf(document, "metadata");
  if (metadata == nullptr || !metadata->is_object()) return Garbled("list of user metadata");
  std::map<std::string, std::string> values;
  for (const auto& [key, value] : metadata->items()) {
    values[key] = value.is_string() ? value.get<std::string>() : std::string();
  }
  return values;
}

std::string MetadatumBody(const std::string& key, const std::string& value) {
  return TextOfJson({{"key", key}, {"value", value}});
}

absl::StatusOr<ReadAcl> ParseReadAcl(absl::string_view text) {
  const json document = ParseJson(text);
  const json* const read = MemberOf(document, "read");
  const json* const project_access = read == nullptr ? nullptr : MemberOf(*read, "project-access");
  if (project_access == nullptr || !project_access->is_boolean()) return Garbled("access control list");
  ReadAcl acl = {.users = {}, .project_access = project_access->get<bool>()};
  const json* const users = MemberOf(*read, "users");
  if (users == nullptr || users->is_null()) return acl;
  if (!users->is_array()) return Garbled("access control list");
  for (const json& user : *users) {
    // One left out would lose its access when the list is written back.
    if (!user.is_string()) return Garbled("access control list");
    acl.users.push_back(user.get<std::string>());
  }
  return acl;
}

std::string ReadAclBody(const ReadAcl& acl) {
  return TextOfJson({{"read", {{"users", acl.users}, {"project-access", acl.project_access}}}});
}

absl::StatusOr<std::vector<std::string>> ParseConsumers(absl::string_view text) {
  const json document = ParseJson(text);
  const json* const consumers = MemberOf(document, "consumers");
  if (consumers == nullptr || !consumers->is_array()) return Garbled("list of consumers");
  std::vector<std::string> services;
  for (const json& consumer : *consumers) services.push_back(PlainLine(TextOf(consumer, "service")));
  return services;
}

std::string ErrorText(absl::string_view body) {
  const json document = ParseJson(body);
  if (!document.is_object()) return PlainLine(body);
  if (const std::string description = TextOf(document, "description"); !description.empty()) {
    return PlainLine(description);
  }
  const json* const error = MemberOf(document, "error");
  return PlainLine(error == nullptr ? TextOf(document, "title") : TextOf(*error, "message"));
}

}  // namespace volcrypt
