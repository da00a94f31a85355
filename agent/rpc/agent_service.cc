#include "agent/rpc/agent_service.h"

#include "agent/rpc/page.h"

namespace volcrypt {

grpc::Status AgentService::GetInfo(grpc::ServerContext* context, const v1::GetInfoRequest* /*request*/,
                                   v1::GetInfoResponse* response) {
  const CallDescription description = {.method = "/volcrypt.v1.AgentService/GetInfo", .kind = CallKind::kRead};
  return calls_.Run(*context, description, [&](Call&) -> absl::Status {
    response->set_version(VOLCRYPT_VERSION);
    response->add_formats(v1::Encryption::FORMAT_LUKS1);
    response->add_formats(v1::Encryption::FORMAT_LUKS2);
    response->add_modes(v1::MODE_HOST_MAPPING);
    if (limits_.has_libvirt) response->add_modes(v1::MODE_LIBVIRT_SECRET);
    for (const auto& [name, entry] : key_managers_.Entries()) {
      v1::KeyManagerInfo& info = *response->add_key_managers();
      info.set_name(name);
      info.set_type(entry.type);
      info.set_is_default(name == key_managers_.DefaultName());
    }
    v1::Limits& limits = *response->mutable_limits();
    limits.set_max_operations(limits_.max_operations);
    limits.set_operation_timeout_seconds(static_cast<uint32_t>(absl::ToInt64Seconds(limits_.operation_timeout)));
    limits.set_max_page_size(kMaxPageSize);
    response->set_maintenance(attacher_.InMaintenance());
    return absl::OkStatus();
  });
}

grpc::Status AgentService::SetMaintenance(grpc::ServerContext* context, const v1::SetMaintenanceRequest* request,
                                          v1::SetMaintenanceResponse* response) {
  const CallDescription description = {.method = "/volcrypt.v1.AgentService/SetMaintenance",
                                       .about = {{"on", request->on() ? "true" : "false"}}};
  return calls_.Run(*context, description, [&](Call&) -> absl::Status {
    response->set_was_on(attacher_.SetMaintenance(request->on()));
    on_maintenance_();
    return absl::OkStatus();
  });
}

}  // namespace volcrypt
