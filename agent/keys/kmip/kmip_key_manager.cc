#include "agent/keys/kmip/kmip_key_manager.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "agent/keys/key_id.h"
#include "agent/keys/kmip/kmip_answers.h"
#include "agent/keys/kmip/kmip_client.h"
#include "agent/keys/kmip/kmip_conversation.h"
#include "agent/keys/kmip/kmip_key_state.h"
#include "agent/keys/kmip/kmip_payloads.h"
#include "agent/keys/kmip/malformed_answer.h"
#include "agent/keys/lost_key.h"
#include "encryptors/reason.h"
#include "encryptors/valid_utf8.h"

namespace volcrypt {
namespace {

using Repeat = KmipClient::Repeat;

constexpr size_t kMaxNameBytes = 255;
constexpr absl::string_view kNamePrefix = "name:";
constexpr const char* kHoldsNoFirstUses = "a KMIP server holds no first-use records";
constexpr std::array<uint32_t, 4> kBitLengths = {128, 192, 256, 512};

absl::Status InvalidField(const std::string& field, const std::string& message) {
  return MakeError(Reason::kInvalidField, message, {{"field", field}});
}

// A key of another name could not be named again.
absl::Status CheckName(const std::string& name) {
  if (name.empty() || IsKeyId(absl::StrCat(kNamePrefix, name))) return absl::OkStatus();
  return InvalidField("name",
                      absl::StrCat("the name of a KMIP key becomes part of a key id, name:NAME, so it has at most ",
                                   kMaxKeyIdBytes - kNamePrefix.size(), " ", kKeyIdCharacters, "; give another name"));
}

absl::Status CheckAlgorithm(const std::string& algorithm) {
  if (algorithm == "aes") return absl::OkStatus();
  return InvalidField("algorithm", "KMIP keys are made and registered for aes only");
}

absl::StatusOr<KeyType> TypeOf(const KmipAttributes& attributes, const std::string& key_id) {
  if (!attributes.object_type) return MalformedAnswer("it lacks the object's type");
  switch (*attributes.object_type) {
    case KmipObjectType::kSymmetricKey:
      return KeyType::kSymmetric;
    case KmipObjectType::kSecretData:
      return KeyType::kPassphrase;
    case KmipObjectType::kOpaqueObject:
      return KeyType::kOpaque;
  }
  return MakeError(Reason::kKeyUnfit, absl::StrCat("object ", key_id, " of the KMIP server is no key"),
                   {{"key_id", key_id}});
}

std::string HowToFind(const std::string& name) {
  return name.empty() ? "compare what this client has at the server: it has no name"
                      : absl::StrCat("look for the key id name:", name);
}

// The error of what was to make a key.
absl::Status NotMade(const absl::Status& error, const std::string& name) {
  return MetadataOf(error).contains(KmipClient::kMayBeDone) ? KeyMayExist(error, name, HowToFind(name)) : error;
}

// Of the key that was made, also if the answer does not say it. One that nobody could name is destroyed again.
absl::StatusOr<std::string> NewUidOf(const KmipReply& reply, const std::string& name, KmipConversation& conversation) {
  absl::StatusOr<std::string> uid = ReadNewUid(reply.response);
  if (!uid.ok()) return KeyMayExist(uid.status(), name, HowToFind(name));
  if (IsKeyId(*uid)) return uid;
  return WithRollbackError(
      MakeError(Reason::kKeyUnfit,
                absl::StrCat("the KMIP server made a key with the unique identifier ", *uid,
                             ", which cannot be a key id: that has 1 to ", kMaxKeyIdBytes, " ", kKeyIdCharacters,
                             "; let the server make other identifiers, or use another key manager"),
                {{"uid", *uid}}),
      conversation.Destroy(*uid, *uid));
}

absl::StatusOr<KmipClient::Options> OptionsOf(const KmipConfig& config, SecretBytes password) {
  KmipClient::Options options;
  for (const std::string& server : config.servers) {
    absl::StatusOr<KmipEndpoint> endpoint = ParseKmipEndpoint(server);
    if (!endpoint.ok()) return endpoint.status();
    options.servers.push_back(*std::move(endpoint));
  }
  if (options.servers.empty()) return InvalidField("servers", "servers: name at least one KMIP server");
  if (!config.username.empty()) {
    options.credential.emplace(KmipCredential{.username = config.username, .password = std::move(password)});
  }
  return options;
}

}  // namespace

KmipKeyManager::KmipKeyManager(std::unique_ptr<KmipClient> client, absl::Duration timeout)
    : client_(std::move(client)), timeout_(timeout) {}

KmipKeyManager::~KmipKeyManager() = default;

absl::StatusOr<std::unique_ptr<KmipKeyManager>> KmipKeyManager::Open(const KmipConfig& config, SecretBytes password,
                                                                     bool private_key_is_credential) {
  absl::StatusOr<KmipClient::Options> options = OptionsOf(config, std::move(password));
  if (!options.ok()) return options.status();
  absl::StatusOr<TlsContext> tls =
      TlsContext::Load({.certificate = config.client_certificate,
                        .private_key = {.path = config.client_private_key, .is_credential = private_key_is_credential},
                        .ca_file = config.ca_file});
  if (!tls.ok()) return tls.status();
  return std::unique_ptr<KmipKeyManager>(
      new KmipKeyManager(std::make_unique<KmipClient>(*std::move(tls), *std::move(options)), config.timeout));
}

absl::Time KmipKeyManager::DeadlineOf(const KeyCall& call) const {
  return std::min(call.deadline, absl::Now() + timeout_);
}

absl::StatusOr<Key> KmipKeyManager::Get(const std::string& key_id, const KeyCall& call) {
  KmipConversation conversation(*client_, DeadlineOf(call));
  const absl::StatusOr<std::string> uid = conversation.Resolve(key_id);
  if (!uid.ok()) return uid.status();
  const absl::StatusOr<KmipAttributes> attributes = conversation.VisibleAttributes(*uid, key_id);
  if (!attributes.ok()) return attributes.status();
  if (absl::Status fit = CheckMayOpen(*attributes, key_id); !fit.ok()) return fit;
  const absl::StatusOr<KmipReply> reply = conversation.Ask(GetRequest(*uid), Repeat::kAllowed, key_id);
  if (!reply.ok()) return reply.status();
  absl::StatusOr<Key> key = ReadKey(reply->response, *uid);
  std::string warning = WarningAbout(*attributes, key_id);
  if (key.ok() && call.warnings != nullptr && !warning.empty()) call.warnings->push_back(std::move(warning));
  return key;
}

absl::StatusOr<KeyMetadata> KmipKeyManager::GetMetadata(const std::string& key_id, const KeyCall& call) {
  KmipConversation conversation(*client_, DeadlineOf(call));
  const absl::StatusOr<std::string> uid = conversation.Resolve(key_id);
  if (!uid.ok()) return uid.status();
  const absl::StatusOr<KmipAttributes> attributes = conversation.Attributes(*uid, key_id);
  if (!attributes.ok()) return attributes.status();
  const absl::StatusOr<KeyType> type = TypeOf(*attributes, key_id);
  if (!type.ok()) return type.status();
  return KeyMetadata{.key_id = *uid,
                     .type = *type,
                     .algorithm = attributes->algorithm == KmipAlgorithm::kAes ? "aes" : "",
                     .bit_length = attributes->bit_length.value_or(0),
                     .name = ValidUtf8(attributes->name.substr(0, kMaxNameBytes)),
                     .status = attributes->state ? StateName(*attributes->state) : "",
                     .created_at = attributes->created_at,
                     .first_uses = {}};
}

absl::StatusOr<std::string> KmipKeyManager::Create(const NewKey& key, const KeyCall& call) {
  if (absl::Status known = CheckAlgorithm(key.algorithm); !known.ok()) return known;
  if (absl::Status named = CheckName(key.name); !named.ok()) return named;
  if (std::ranges::find(kBitLengths, key.bit_length) == kBitLengths.end()) {
    return InvalidField("bit_length", absl::StrCat("a key cannot have ", key.bit_length, " bits, only ",
                                                   absl::StrJoin(kBitLengths, ", ")));
  }
  KmipConversation conversation(*client_, DeadlineOf(call));
  const absl::StatusOr<KmipReply> reply = conversation.Ask(CreateRequest(key.bit_length, key.name), Repeat::kNever, "");
  if (!reply.ok()) return NotMade(reply.status(), key.name);
  absl::StatusOr<std::string> uid = NewUidOf(*reply, key.name, conversation);
  if (!uid.ok()) return uid;
  if (absl::Status activated = conversation.Activate(*uid); !activated.ok()) return activated;
  return uid;
}

absl::StatusOr<std::string> KmipKeyManager::Import(const Key& key, const KeyCopy& description, const KeyCall& call) {
  if (absl::Status named = CheckName(description.name); !named.ok()) return named;
  if (key.type == KeyType::kSymmetric && !description.algorithm.empty()) {
    if (absl::Status known = CheckAlgorithm(description.algorithm); !known.ok()) return known;
  }
  KmipConversation conversation(*client_, DeadlineOf(call));
  const absl::StatusOr<KmipReply> reply = conversation.Ask(RegisterRequest(key, description.name), Repeat::kNever, "");
  if (!reply.ok()) return NotMade(reply.status(), description.name);
  absl::StatusOr<std::string> uid = NewUidOf(*reply, description.name, conversation);
  if (!uid.ok()) return uid;
  // Opaque objects have no state (KMIP 1.4, section 3.22).
  if (key.type == KeyType::kOpaque) return uid;
  if (absl::Status activated = conversation.Activate(*uid); !activated.ok()) return activated;
  return uid;
}

absl::Status KmipKeyManager::Delete(const std::string& key_id, bool, const KeyCall& call) {
  KmipConversation conversation(*client_, DeadlineOf(call));
  const absl::StatusOr<std::string> uid = conversation.Resolve(key_id);
  if (!uid.ok()) return uid.status();
  const absl::StatusOr<KmipAttributes> attributes = conversation.Attributes(*uid, key_id);
  if (!attributes.ok()) return attributes.status();
  if (IsDestroyed(*attributes)) return KeyWasDestroyed(key_id);
  // KMIP destroys no active key.
  if (attributes->state == KmipState::kActive) {
    if (absl::Status revoked = conversation.Revoke(*uid, key_id); !revoked.ok()) return revoked;
  }
  return conversation.Destroy(*uid, key_id);
}

// Nothing is recorded, but a key that may protect nothing new is refused while the volume is still blank.
absl::StatusOr<FirstUseRecord> KmipKeyManager::ClaimFirstUse(const std::string& key_id, const FirstUseRecord&,
                                                             const KeyCall& call) {
  KmipConversation conversation(*client_, DeadlineOf(call));
  const absl::StatusOr<std::string> uid = conversation.Resolve(key_id);
  if (!uid.ok()) return uid.status();
  const absl::StatusOr<KmipAttributes> attributes = conversation.VisibleAttributes(*uid, key_id);
  if (!attributes.ok()) return attributes.status();
  if (absl::Status fit = CheckMayProtect(*attributes, key_id); !fit.ok()) return fit;
  return NotHeld(kHoldsNoFirstUses);
}

absl::Status KmipKeyManager::RecordFirstUse(const std::string&, const FirstUseRecord&, const KeyCall&) {
  return NotHeld(kHoldsNoFirstUses);
}

absl::Status KmipKeyManager::DropFirstUse(const std::string&, const std::string&, const KeyCall&) {
  return absl::OkStatus();
}

std::vector<CheckStep> KmipKeyManager::Check(const KeyCall& call) { return client_->Check(DeadlineOf(call)); }

}  // namespace volcrypt
