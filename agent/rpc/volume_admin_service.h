#pragma once

#include "agent/attacher.h"
#include "agent/rpc/call.h"
#include "volcrypt/v1/volume_admin.grpc.pb.h"

namespace volcrypt {

// What administrators call about volumes.
class VolumeAdminService final : public v1::VolumeAdminService::Service {
 public:
  VolumeAdminService(CallRunner& calls, Attacher& attacher) : calls_(calls), attacher_(attacher) {}

  grpc::Status InspectVolume(grpc::ServerContext* context, const v1::InspectVolumeRequest* request,
                             v1::InspectVolumeResponse* response) override;
  grpc::Status ForgetVolume(grpc::ServerContext* context, const v1::ForgetVolumeRequest* request,
                            v1::ForgetVolumeResponse* response) override;

 private:
  CallRunner& calls_;
  Attacher& attacher_;
};

}  // namespace volcrypt
