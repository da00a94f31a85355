#include "agent/rpc/volume_admin_service.h"

#include "agent/rpc/from_api.h"
#include "agent/rpc/to_api.h"

namespace volcrypt {

grpc::Status VolumeAdminService::InspectVolume(grpc::ServerContext* context, const v1::InspectVolumeRequest* request,
                                               v1::InspectVolumeResponse* response) {
  const CallDescription description = {.method = "/volcrypt.v1.VolumeAdminService/InspectVolume",
                                       .kind = CallKind::kRead,
                                       .about = {{"device", request->device()}}};
  return calls_.Run(*context, description, [&](Call& call) -> absl::Status {
    const absl::StatusOr<Inspection> inspection = attacher_.Inspect(request->device(), call.deadline);
    if (!inspection.ok()) return inspection.status();
    *response = ToApi(*inspection);
    return absl::OkStatus();
  });
}

grpc::Status VolumeAdminService::ForgetVolume(grpc::ServerContext* context, const v1::ForgetVolumeRequest* request,
                                              v1::ForgetVolumeResponse* /*response*/) {
  const CallDescription description = {
      .method = "/volcrypt.v1.VolumeAdminService/ForgetVolume",
      .about = {{"volume", request->volume_id()},
                {"key", request->key().key_id()},
                {"key_manager", KeyManagerOf(request->key(), attacher_.AllKeyManagers())}},
      .may_ask_key_manager = true};
  return calls_.Run(*context, description, [&](Call& call) -> absl::Status {
    return attacher_.Forget(request->volume_id(), FromApi(request->key()), call.ForKeys(), [&call] {
      return call.before_lasting_step("drops the records that keep the volume from being formatted again", {});
    });
  });
}

}  // namespace volcrypt
