#include "agent/rpc/key_service.h"

#include <string>

#include "agent/key_copy.h"
#include "agent/rpc/from_api.h"
#include "agent/rpc/to_api.h"

namespace volcrypt {
namespace {

// A key by the names that the answer shows, and who keeps it.
struct KeptKey {
  KeyManager* manager = nullptr;
  KeyReference reference;
};

std::string NameOf(const KeyManagers& key_managers, const std::string& requested) {
  return requested.empty() ? key_managers.DefaultName() : requested;
}

absl::StatusOr<KeptKey> FindKey(const KeyManagers& key_managers, const v1::KeyReference& requested) {
  absl::StatusOr<KeyReference> key = RequiredKey(requested, "key");
  if (!key.ok()) return key.status();
  const absl::StatusOr<KeyManagers::Found> found = key_managers.FindFor(*key);
  if (!found.ok()) return found.status();
  return KeptKey{.manager = found->manager, .reference = {.key_manager = found->name, .key_id = key->key_id}};
}

LogFields About(const v1::KeyReference& key, const KeyManagers& key_managers) {
  return {{"key", key.key_id()}, {"key_manager", KeyManagerOf(key, key_managers)}};
}

}  // namespace

grpc::Status KeyService::CreateKey(grpc::ServerContext* context, const v1::CreateKeyRequest* request,
                                   v1::CreateKeyResponse* response) {
  const CallDescription description = {.method = "/volcrypt.v1.KeyService/CreateKey",
                                       .about = {{"key_manager", NameOf(key_managers_, request->key_manager())}},
                                       .may_ask_key_manager = true};
  return calls_.Run(*context, description, [&](Call& call) -> absl::Status {
    const absl::StatusOr<NewKey> key = FromApi(*request);
    if (!key.ok()) return key.status();
    const absl::StatusOr<KeyManagers::Found> found = key_managers_.Find(request->key_manager());
    if (!found.ok()) return found.status();
    const absl::StatusOr<std::string> key_id = found->manager->Create(*key, call.ForKeys());
    if (!key_id.ok()) return RefusalOf(key_id.status(), found->name);
    *response->mutable_key() = ToApi(KeyReference{.key_manager = found->name, .key_id = *key_id});
    call.results = {{"key", *key_id}};
    return absl::OkStatus();
  });
}

grpc::Status KeyService::CopyKey(grpc::ServerContext* context, const v1::CopyKeyRequest* request,
                                 v1::CopyKeyResponse* response) {
  const CallDescription description = {.method = "/volcrypt.v1.KeyService/CopyKey",
                                       .about = {{"key", request->source().key_id()},
                                                 {"key_manager", KeyManagerOf(request->source(), key_managers_)},
                                                 {"copy_key_manager", NameOf(key_managers_, request->key_manager())}},
                                       .may_ask_key_manager = true};
  return calls_.Run(*context, description, [&](Call& call) -> absl::Status {
    const absl::StatusOr<CopyKeyCall> copy = FromApi(*request);
    if (!copy.ok()) return copy.status();
    const absl::StatusOr<CopiedKey> copied = volcrypt::CopyKey(key_managers_, *copy, call.ForKeys());
    if (!copied.ok()) return copied.status();
    *response->mutable_key() = ToApi(copied->key);
    call.results = {{"copy", copied->key.key_id}};
    call.Warn(copied->warnings);
    return absl::OkStatus();
  });
}

grpc::Status KeyService::GetKeyMetadata(grpc::ServerContext* context, const v1::GetKeyMetadataRequest* request,
                                        v1::GetKeyMetadataResponse* response) {
  const CallDescription description = {.method = "/volcrypt.v1.KeyService/GetKeyMetadata",
                                       .kind = CallKind::kRead,
                                       .about = About(request->key(), key_managers_),
                                       .may_ask_key_manager = true};
  return calls_.Run(*context, description, [&](Call& call) -> absl::Status {
    const absl::StatusOr<KeptKey> key = FindKey(key_managers_, request->key());
    if (!key.ok()) return key.status();
    const absl::StatusOr<KeyMetadata> metadata = key->manager->GetMetadata(key->reference.key_id, call.ForKeys());
    if (!metadata.ok()) return metadata.status();
    *response = ToApi(key->reference, *metadata);
    return absl::OkStatus();
  });
}

grpc::Status KeyService::DeleteKey(grpc::ServerContext* context, const v1::DeleteKeyRequest* request,
                                   v1::DeleteKeyResponse* /*response*/) {
  const CallDescription description = {.method = "/volcrypt.v1.KeyService/DeleteKey",
                                       .about = About(request->key(), key_managers_),
                                       .may_ask_key_manager = true};
  return calls_.Run(*context, description, [&](Call& call) -> absl::Status {
    const absl::StatusOr<KeptKey> key = FindKey(key_managers_, request->key());
    if (!key.ok()) return key.status();
    if (absl::Status checked = key->manager->CheckKeyId(key->reference.key_id); !checked.ok()) return checked;
    absl::Status agreed =
        call.before_lasting_step(request->force() ? "deletes the key, whatever volumes it has formatted"
                                                  : "deletes the key, unless it has formatted volumes",
                                 {});
    if (!agreed.ok()) return agreed;
    return RefusalOf(key->manager->Delete(key->reference.key_id, request->force(), call.ForKeys()),
                     key->reference.key_manager);
  });
}

grpc::Status KeyService::CheckKeyManager(grpc::ServerContext* context, const v1::CheckKeyManagerRequest* request,
                                         v1::CheckKeyManagerResponse* response) {
  const CallDescription description = {.method = "/volcrypt.v1.KeyService/CheckKeyManager",
                                       .kind = CallKind::kRead,
                                       .about = {{"key_manager", NameOf(key_managers_, request->key_manager())}},
                                       .may_ask_key_manager = true};
  return calls_.Run(*context, description, [&](Call& call) -> absl::Status {
    const absl::StatusOr<KeyManagers::Found> found = key_managers_.Find(request->key_manager());
    if (!found.ok()) return found.status();
    *response = ToApi(found->manager->Check(call.ForKeys()));
    return absl::OkStatus();
  });
}

}  // namespace volcrypt
