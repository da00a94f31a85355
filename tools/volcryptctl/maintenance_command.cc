#include "tools/volcryptctl/maintenance_command.h"

#include <memory>
#include <string>

#include "nlohmann/json.hpp"
#include "tools/volcryptctl/json_output.h"
#include "volcrypt/v1/agent.grpc.pb.h"

namespace volcrypt::ctl {
namespace {

void PrintMaintenance(Session& session, bool on) {
  if (session.output == Output::kJson) {
    nlohmann::ordered_json object;
    object["maintenance"] = on;
    PrintJson(session.out, object);
  } else if (!session.quiet) {
    session.out << (on ? "maintenance is on: new attaches are refused until it is off or volcryptd restarts\n"
                       : "maintenance is off\n");
  }
}

absl::Status SetMaintenance(bool on, Session& session) {
  v1::SetMaintenanceRequest request;
  request.set_on(on);
  const auto response = session.client.Call(&v1::AgentService::Stub::SetMaintenance, request);
  if (!response.ok()) return response.status();
  PrintMaintenance(session, on);
  return absl::OkStatus();
}

absl::Status ShowMaintenance(Session& session) {
  const auto info = session.client.Call(&v1::AgentService::Stub::GetInfo, v1::GetInfoRequest());
  if (!info.ok()) return info.status();
  PrintMaintenance(session, info->maintenance());
  return absl::OkStatus();
}

}  // namespace

void AddMaintenanceCommand(const CommandApp& root, Command& selected) {
  const CommandApp app =
      root.Add("maintenance",
               "Drain this host: \"on\" refuses new attaches (DRAINING) and makes health NOT_SERVING, "
               "while detaches work; without either, say which it is",
               "volcryptctl maintenance on && volcryptctl detach --all");
  const auto state = std::make_shared<std::string>();
  app.AddOption("STATE", *state, "on or off", {.one_of = {"on", "off"}});
  app.OnUse([state, &selected] {
    selected = [state](Session& session) {
      return state->empty() ? ShowMaintenance(session) : SetMaintenance(*state == "on", session);
    };
  });
}

}  // namespace volcrypt::ctl
