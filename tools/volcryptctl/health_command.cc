#include "tools/volcryptctl/health_command.h"

#include <array>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "grpc_health/health.grpc.pb.h"
#include "nlohmann/json.hpp"
#include "tools/volcryptctl/json_output.h"
#include "tools/volcryptctl/printable.h"
#include "tools/volcryptctl/text_table.h"

namespace volcrypt::ctl {
namespace {

namespace health = grpc::health::v1;

// The empty name is the agent as a whole.
constexpr std::array<absl::string_view, 5> kServices = {"", "volcrypt.v1.VolumeEncryptorService",
                                                        "volcrypt.v1.VolumeAdminService", "volcrypt.v1.KeyService",
                                                        "volcrypt.v1.AgentService"};

struct ServiceHealth {
  std::string service;
  health::HealthCheckResponse::ServingStatus status;
};

std::string Shown(absl::string_view service) { return service.empty() ? "volcryptd" : std::string(service); }

// A service that the agent does not report on (NOT_FOUND) is unknown, which only the agent as a whole may not be.
bool IsHealthy(const ServiceHealth& health) {
  return health.status == health::HealthCheckResponse::SERVING ||
         (health.status == health::HealthCheckResponse::SERVICE_UNKNOWN && !health.service.empty());
}

absl::StatusOr<std::vector<ServiceHealth>> CheckAll(Client& client) {
  std::vector<ServiceHealth> all;
  for (const absl::string_view service : kServices) {
    health::HealthCheckRequest request;
    request.set_service(std::string(service));
    const auto response = client.Call(&health::Health::Stub::Check, request);
    if (!response.ok() && !absl::IsNotFound(response.status())) return response.status();
    all.push_back(
        {request.service(), response.ok() ? response->status() : health::HealthCheckResponse::SERVICE_UNKNOWN});
  }
  return all;
}

void PrintHealth(Session& session, const std::vector<ServiceHealth>& all) {
  const auto name = [](const ServiceHealth& row) {
    return health::HealthCheckResponse::ServingStatus_Name(row.status);
  };
  if (session.output == Output::kJson) {
    nlohmann::ordered_json rows = nlohmann::ordered_json::array();
    for (const ServiceHealth& row : all) rows.push_back({{"service", row.service}, {"status", name(row)}});
    nlohmann::ordered_json object;
    object["services"] = rows;
    PrintJson(session.out, object);
  } else if (!session.quiet) {
    TextTable table({"SERVICE", "STATUS"});
    for (const ServiceHealth& row : all) table.Add({Shown(row.service), EnumWord(name(row), "")});
    table.Print(session.out);
  }
}

absl::Status RunHealth(Session& session) {
  const auto all = CheckAll(session.client);
  if (!all.ok()) return all.status();
  PrintHealth(session, *all);
  std::vector<std::string> sick;
  for (const ServiceHealth& row : *all) {
    if (!IsHealthy(row)) sick.push_back(Shown(row.service));
  }
  if (sick.empty()) return absl::OkStatus();
  return absl::UnavailableError(
      absl::StrCat("not serving: ", absl::StrJoin(sick, ", "),
                   "; is volcrypt-helper running (systemctl status volcrypt-helper), or is this host drained "
                   "(volcryptctl maintenance)?"));
}

}  // namespace

void AddHealthCommand(const CommandApp& root, Command& selected) {
  const CommandApp app = root.Add("health", "Ask whether the agent and its helper can work; exit status 7 if not",
                                  "volcryptctl -q health && echo ready");
  app.OnUse([&selected] { selected = RunHealth; });
}

}  // namespace volcrypt::ctl
