#pragma once

#include "agent/attacher.h"
#include "agent/rpc/call.h"
#include "volcrypt/v1/volume_encryptor.grpc.pb.h"

namespace volcrypt {

// What a compute service calls.
class VolumeEncryptorService final : public v1::VolumeEncryptorService::Service {
 public:
  VolumeEncryptorService(CallRunner& calls, Attacher& attacher) : calls_(calls), attacher_(attacher) {}

  grpc::Status AttachVolume(grpc::ServerContext* context, const v1::AttachVolumeRequest* request,
                            v1::AttachVolumeResponse* response) override;
  grpc::Status DetachVolume(grpc::ServerContext* context, const v1::DetachVolumeRequest* request,
                            v1::DetachVolumeResponse* response) override;
  grpc::Status ExtendVolume(grpc::ServerContext* context, const v1::ExtendVolumeRequest* request,
                            v1::ExtendVolumeResponse* response) override;
  grpc::Status GetAttachment(grpc::ServerContext* context, const v1::GetAttachmentRequest* request,
                             v1::GetAttachmentResponse* response) override;
  grpc::Status ListAttachments(grpc::ServerContext* context, const v1::ListAttachmentsRequest* request,
                               v1::ListAttachmentsResponse* response) override;

 private:
  CallRunner& calls_;
  Attacher& attacher_;
};

}  // namespace volcrypt
