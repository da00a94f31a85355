#pragma once

#include <functional>

#include "absl/time/time.h"
#include "agent/attacher.h"
#include "agent/keys/key_managers.h"
#include "agent/rpc/call.h"
#include "volcrypt/v1/agent.grpc.pb.h"

namespace volcrypt {

// What any known caller may ask about the agent, and its maintenance.
class AgentService final : public v1::AgentService::Service {
 public:
  struct Limits {
    uint32_t max_operations = 0;
    absl::Duration operation_timeout;
    bool has_libvirt = false;
  };

  // `on_maintenance` is told when maintenance was set; on the call's thread.
  AgentService(CallRunner& calls, Attacher& attacher, const KeyManagers& key_managers, Limits limits,
               std::function<void()> on_maintenance)
      : calls_(calls),
        attacher_(attacher),
        key_managers_(key_managers),
        limits_(limits),
        on_maintenance_(std::move(on_maintenance)) {}

  grpc::Status GetInfo(grpc::ServerContext* context, const v1::GetInfoRequest* request,
                       v1::GetInfoResponse* response) override;
  grpc::Status SetMaintenance(grpc::ServerContext* context, const v1::SetMaintenanceRequest* request,
                              v1::SetMaintenanceResponse* response) override;

 private:
  CallRunner& calls_;
  Attacher& attacher_;
  const KeyManagers& key_managers_;
  const Limits limits_;
  const std::function<void()> on_maintenance_;
};

}  // namespace volcrypt
