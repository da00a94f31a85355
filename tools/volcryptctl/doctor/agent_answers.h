#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "grpc_health/health.pb.h"
#include "tools/volcryptctl/client.h"
#include "volcrypt/v1/agent.pb.h"
#include "volcrypt/v1/key.pb.h"
#include "volcrypt/v1/volume_encryptor.pb.h"

namespace volcrypt::ctl {

// What the agent says of itself, its volumes and its key managers.
struct AgentAnswers {
  struct KeyManager {
    std::string name;
    std::string type;
    absl::StatusOr<v1::CheckKeyManagerResponse> check;
  };
  absl::StatusOr<v1::GetInfoResponse> info;
  absl::StatusOr<grpc::health::v1::HealthCheckResponse> health;
  absl::StatusOr<v1::ListAttachmentsResponse> attachments;  // the pages together, as far as they were read
  std::vector<std::string> detaching;                       // volumes with a deferred detach, among the first mappings
  std::vector<KeyManager> key_managers;
};

// Asks for all of it, no longer than a minute and no more than the client's timeout for each question; nothing more
// when the first one stays without an answer.
AgentAnswers AskAgent(Client& client);

// The agent said something, be it that the caller may not ask.
bool HasAnswered(const absl::Status& status);

}  // namespace volcrypt::ctl
