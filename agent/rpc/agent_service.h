#pragma once

#include "absl/time/time.h"
#include "agent/keys/key_managers.h"
#include "agent/rpc/call.h"
#include "volcrypt/v1/agent.grpc.pb.h"

namespace volcrypt {

// What any known caller may ask about the agent.
class AgentService final : public v1::AgentService::Service {
 public:
  struct Limits {
    uint32_t max_operations = 0;
    absl::Duration operation_timeout;
  };

  AgentService(CallRunner& calls, const KeyManagers& key_managers, Limits limits)
      : calls_(calls), key_managers_(key_managers), limits_(limits) {}

  grpc::Status GetInfo(grpc::ServerContext* context, const v1::GetInfoRequest* request,
                       v1::GetInfoResponse* response) override;

 private:
  CallRunner& calls_;
  const KeyManagers& key_managers_;
  const Limits limits_;
};

}  // namespace volcrypt
