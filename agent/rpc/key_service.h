#pragma once

#include "agent/keys/key_managers.h"
#include "agent/rpc/call.h"
#include "volcrypt/v1/key.grpc.pb.h"

namespace volcrypt {

// What administrators call about keys. No key bytes pass here.
class KeyService final : public v1::KeyService::Service {
 public:
  KeyService(CallRunner& calls, const KeyManagers& key_managers) : calls_(calls), key_managers_(key_managers) {}

  grpc::Status CreateKey(grpc::ServerContext* context, const v1::CreateKeyRequest* request,
                         v1::CreateKeyResponse* response) override;
  grpc::Status CopyKey(grpc::ServerContext* context, const v1::CopyKeyRequest* request,
                       v1::CopyKeyResponse* response) override;
  grpc::Status GetKeyMetadata(grpc::ServerContext* context, const v1::GetKeyMetadataRequest* request,
                              v1::GetKeyMetadataResponse* response) override;
  grpc::Status DeleteKey(grpc::ServerContext* context, const v1::DeleteKeyRequest* request,
                         v1::DeleteKeyResponse* response) override;
  grpc::Status CheckKeyManager(grpc::ServerContext* context, const v1::CheckKeyManagerRequest* request,
                               v1::CheckKeyManagerResponse* response) override;

 private:
  CallRunner& calls_;
  const KeyManagers& key_managers_;
};

}  // namespace volcrypt
