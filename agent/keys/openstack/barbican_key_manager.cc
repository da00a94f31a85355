#include "agent/keys/openstack/barbican_key_manager.h"

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/keys/key_id.h"
#include "agent/keys/openstack/barbican_acl.h"
#include "agent/keys/openstack/barbican_call.h"
#include "agent/keys/openstack/barbican_check.h"
#include "agent/keys/openstack/barbican_claim.h"
#include "agent/keys/openstack/barbican_first_use.h"
#include "agent/keys/openstack/barbican_import.h"
#include "agent/keys/openstack/barbican_order.h"
#include "agent/keys/openstack/barbican_secret.h"
#include "agent/keys/openstack/service_url.h"
#include "encryptors/reason.h"

namespace volcrypt {
namespace {

// The key is there already when the agent is added to those who may read it.
constexpr std::chrono::milliseconds kGrantTime(2000);

absl::Status InvalidField(const std::string& field, const std::string& message) {
  return MakeError(Reason::kInvalidField, absl::StrCat(field, ": ", message), {{"field", field}});
}

absl::Status CheckCredential(const BarbicanConfig& config, const SecretBytes& secret) {
  if (config.application_credential_id.empty() && config.username.empty()) {
    return InvalidField("application_credential_id", "neither an application credential nor a username is set");
  }
  if (!config.username.empty() && config.application_credential_id.empty() && config.project_name.empty()) {
    return InvalidField("project_name", "a username needs the project whose keys it uses");
  }
  if (secret.IsEmpty()) return InvalidField("password_file", "the password or credential secret is empty");
  return absl::OkStatus();
}

// Gives the agent its place in the secret's ACL with the caller's token. The attach goes on whatever comes of it.
void GrantAgentRead(BarbicanCall& call, const std::string& key_id) {
  call.SetDeadline(call.Deadline().Within(kGrantTime));
  const absl::StatusOr<KeystoneSession::TokenPtr> agent = call.Services().keystone.Token(call.Deadline());
  const absl::Status granted = agent.ok() ? AllowReading(call, key_id, (*agent)->user_id) : agent.status();
  if (granted.ok()) return;
  call.Warn(absl::StrCat("the agent's user could not be added to the read ACL of key ", key_id,
                         ", so it cannot read the key without a caller's token: ", granted.message()));
}

}  // namespace

BarbicanKeyManager::BarbicanKeyManager(std::unique_ptr<BarbicanServices> services) : services_(std::move(services)) {}
BarbicanKeyManager::~BarbicanKeyManager() = default;

absl::StatusOr<std::unique_ptr<BarbicanKeyManager>> BarbicanKeyManager::Make(const BarbicanConfig& config,
                                                                             SecretBytes secret) {
  if (absl::Status url = ServiceUrl(config.auth_url, "auth_url").status(); !url.ok()) return url;
  if (!config.endpoint.empty()) {
    if (absl::Status url = ServiceUrl(config.endpoint, "endpoint").status(); !url.ok()) return url;
  }
  if (absl::Status credential = CheckCredential(config, secret); !credential.ok()) return credential;
  auto services =
      std::make_unique<BarbicanServices>(config, std::move(secret), [] { return CallDeadline::Clock::now(); });
  return std::unique_ptr<BarbicanKeyManager>(new BarbicanKeyManager(std::move(services)));
}

absl::StatusOr<Key> BarbicanKeyManager::Get(const std::string& key_id, const KeyCall& call) {
  const absl::StatusOr<std::string> id = CanonicalKeyId(key_id);
  if (!id.ok()) return id.status();
  BarbicanCall barbican(*services_, call);
  absl::StatusOr<Key> key = ReadKey(barbican, *id);
  if (key.ok() && barbican.IsCallers() && services_->config.grant_agent_read) GrantAgentRead(barbican, *id);
  return key;
}

absl::StatusOr<KeyMetadata> BarbicanKeyManager::GetMetadata(const std::string& key_id, const KeyCall& call) {
  const absl::StatusOr<std::string> id = CanonicalKeyId(key_id);
  if (!id.ok()) return id.status();
  BarbicanCall barbican(*services_, call);
  return ReadKeyMetadata(barbican, *id);
}

absl::StatusOr<std::string> BarbicanKeyManager::Create(const NewKey& key, const KeyCall& call) {
  BarbicanCall barbican(*services_, call);
  return OrderKey(barbican, key);
}

absl::StatusOr<std::string> BarbicanKeyManager::Import(const Key& key, const KeyCopy& description,
                                                       const KeyCall& call) {
  BarbicanCall barbican(*services_, call);
  return StoreKey(barbican, key, description);
}

absl::Status BarbicanKeyManager::Delete(const std::string& key_id, bool force, const KeyCall& call) {
  const absl::StatusOr<std::string> id = CanonicalKeyId(key_id);
  if (!id.ok()) return id.status();
  BarbicanCall barbican(*services_, call);
  return DeleteSecret(barbican, *id, force);
}

absl::StatusOr<FirstUseRecord> BarbicanKeyManager::ClaimFirstUse(const std::string& key_id, const FirstUseRecord& claim,
                                                                 const KeyCall& call) {
  const absl::StatusOr<std::string> id = CanonicalKeyId(key_id);
  if (!id.ok()) return id.status();
  BarbicanCall barbican(*services_, call);
  return volcrypt::ClaimFirstUse(barbican, *id, claim);
}

absl::Status BarbicanKeyManager::RecordFirstUse(const std::string& key_id, const FirstUseRecord& record,
                                                const KeyCall& call) {
  const absl::StatusOr<std::string> id = CanonicalKeyId(key_id);
  if (!id.ok()) return id.status();
  BarbicanCall barbican(*services_, call);
  return volcrypt::RecordFirstUse(barbican, *id, record);
}

absl::Status BarbicanKeyManager::DropFirstUse(const std::string& key_id, const std::string& volume_id,
                                              const KeyCall& call) {
  const absl::StatusOr<std::string> id = CanonicalKeyId(key_id);
  if (!id.ok()) return id.status();
  BarbicanCall barbican(*services_, call);
  return volcrypt::DropFirstUse(barbican, *id, volume_id);
}

std::vector<CheckStep> BarbicanKeyManager::Check(const KeyCall& call) { return CheckBarbican(*services_, call); }

}  // namespace volcrypt
