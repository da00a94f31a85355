#include "tools/volcryptctl/doctor/doctor_command.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "tools/volcryptctl/doctor/bundle.h"
#include "tools/volcryptctl/doctor/checks.h"
#include "tools/volcryptctl/doctor/host_files.h"
#include "tools/volcryptctl/doctor/program.h"
#include "tools/volcryptctl/doctor/report.h"
#include "tools/volcryptctl/endpoint.h"

namespace volcrypt::ctl {
namespace {

// A key manager's check has several steps, each with a limit of its own.
constexpr absl::Duration kMostForOneAnswer = absl::Seconds(15);

constexpr const char* kDefaultConfig = "/etc/volcrypt/volcryptd.toml";

struct DoctorOptions {
  std::string bundle;  // empty: none
  std::string config = kDefaultConfig;
};

// volcryptd knows what is right. To anybody but root and its own user it would complain of files that they may not
// read.
absl::StatusOr<std::string> ConfigErrors(const Host& host, const std::string& program, const std::string& config) {
  if (host.user != 0) return absl::PermissionDeniedError("only root may");
  std::vector<std::string> command = {program, "--check-config"};
  // One that is named must exist.
  if (StatusOf(host.At(config)).ok() || config != kDefaultConfig) {
    command.insert(command.end(), {"--config", host.At(config)});
  }
  return RunProgram(command, {.wants_complaints = true});
}

Examination Examine(const Session& session, const DoctorOptions& options) {
  Client client({.endpoint = session.endpoint,
                 .timeout = std::min(session.timeout, kMostForOneAnswer),
                 .notes_waiting = !session.quiet},
                session.environment, session.err);
  Host host = ThisHost(session.environment.root);
  auto config = ReadConfigFile(host, options.config);
  auto config_errors = ConfigErrors(host, session.environment.agent_program, options.config);
  return {.host = std::move(host),
          .socket = std::string(SocketPathOf(session.endpoint)),
          .config_path = options.config,
          .config = std::move(config),
          .config_errors = std::move(config_errors),
          .agent = AskAgent(client)};
}

absl::Status RunDoctor(const DoctorOptions& options, Session& session) {
  std::optional<Bundle> bundle;
  if (!options.bundle.empty()) {
    auto created = Bundle::Create(options.bundle);
    if (!created.ok()) return created.status();
    bundle.emplace(*std::move(created));
  }
  const Examination examination = Examine(session, options);
  const Findings findings = RunChecks(examination);
  PrintFindings(session, findings);
  if (bundle) {
    if (absl::Status status = bundle->Write(CollectBundle(examination, findings)); !status.ok()) return status;
    if (!session.quiet) session.err << "wrote " << options.bundle << "; look through it before you pass it on\n";
  }
  return FaultsOf(findings);
}

}  // namespace

void AddDoctorCommand(const CommandApp& root, Command& selected) {
  const CommandApp app =
      root.Add("doctor",
               "Look for what keeps volcrypt from working, also when volcryptd is down, and say how to mend it; "
               "exit status 6 on a fault",
               "volcryptctl doctor --bundle report.tar.gz");
  const auto options = std::make_shared<DoctorOptions>();
  app.AddOption("--bundle", options->bundle, "Write what a bug report needs into a new tar.gz, without secrets",
                {.kind = "FILE"});
  app.AddOption("--config", options->config, "volcryptd's configuration", {.kind = "FILE"});
  app.OnUse([options, &selected] { selected = [options](Session& session) { return RunDoctor(*options, session); }; });
}

}  // namespace volcrypt::ctl
