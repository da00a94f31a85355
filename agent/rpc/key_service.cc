#include "agent/rpc/key_service.h"

#include <string>

#include "agent/rpc/from_api.h"
#include "agent/rpc/to_api.h"
#include "encryptors/reason.h"

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

absl::StatusOr<KeptKey> FindKey(const KeyManagers& key_managers, const v1::KeyReference& key) {
  if (key.key_id().empty()) {
    return MakeError(Reason::kKeyRequired, "key.key_id: name the key", {{"field", "key.key_id"}});
  }
  const absl::StatusOr<KeyManager*> manager = key_managers.Find(key.key_manager());
  if (!manager.ok()) return manager.status();
  return KeptKey{.manager = *manager,
                 .reference = {.key_manager = NameOf(key_managers, key.key_manager()), .key_id = key.key_id()}};
}

}  // namespace

grpc::Status KeyService::CreateKey(grpc::ServerContext* context, const v1::CreateKeyRequest* request,
                                   v1::CreateKeyResponse* response) {
  const CallDescription description = {.method = "/volcrypt.v1.KeyService/CreateKey",
                                       .about = {{"key_manager", NameOf(key_managers_, request->key_manager())}}};
  return calls_.Run(*context, description, [&](Call& call) -> absl::Status {
    const absl::StatusOr<NewKey> key = FromApi(*request);
    if (!key.ok()) return key.status();
    const absl::StatusOr<KeyManager*> manager = key_managers_.Find(request->key_manager());
    if (!manager.ok()) return manager.status();
    const absl::StatusOr<std::string> key_id = (*manager)->Create(*key, call.deadline);
    if (!key_id.ok()) return key_id.status();
    const KeyReference created = {.key_manager = NameOf(key_managers_, request->key_manager()), .key_id = *key_id};
    *response->mutable_key() = ToApi(created);
    call.results = {{"key", *key_id}};
    return absl::OkStatus();
  });
}

grpc::Status KeyService::GetKeyMetadata(grpc::ServerContext* context, const v1::GetKeyMetadataRequest* request,
                                        v1::GetKeyMetadataResponse* response) {
  const CallDescription description = {.method = "/volcrypt.v1.KeyService/GetKeyMetadata",
                                       .kind = CallKind::kRead,
                                       .about = {{"key", request->key().key_id()}}};
  return calls_.Run(*context, description, [&](Call& call) -> absl::Status {
    const absl::StatusOr<KeptKey> key = FindKey(key_managers_, request->key());
    if (!key.ok()) return key.status();
    const absl::StatusOr<KeyMetadata> metadata = key->manager->GetMetadata(key->reference.key_id, call.deadline);
    if (!metadata.ok()) return metadata.status();
    *response = ToApi(key->reference, *metadata);
    return absl::OkStatus();
  });
}

grpc::Status KeyService::DeleteKey(grpc::ServerContext* context, const v1::DeleteKeyRequest* request,
                                   v1::DeleteKeyResponse* /*response*/) {
  const CallDescription description = {.method = "/volcrypt.v1.KeyService/DeleteKey",
                                       .about = {{"key", request->key().key_id()}}};
  return calls_.Run(*context, description, [&](Call& call) -> absl::Status {
    const absl::StatusOr<KeptKey> key = FindKey(key_managers_, request->key());
    if (!key.ok()) return key.status();
    return key->manager->Delete(key->reference.key_id, request->force(), call.deadline);
  });
}

}  // namespace volcrypt
