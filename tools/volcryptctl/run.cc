#include "tools/volcryptctl/run.h"

#include <utility>

#include "tools/volcryptctl/call_error.h"
#include "tools/volcryptctl/command_line.h"
#include "tools/volcryptctl/exit_status.h"
#include "tools/volcryptctl/json_output.h"
#include "tools/volcryptctl/os_token.h"
#include "tools/volcryptctl/printable.h"

namespace volcrypt::ctl {
namespace {

int Report(const absl::Status& status, Output output, std::ostream& err) {
  if (!status.ok()) {
    err << "volcryptctl: " << Printable(status.message()) << " (" << Printable(ReasonOrCode(status)) << ")\n";
    if (output == Output::kJson) PrintJsonError(err, status);
  }
  return static_cast<int>(ExitStatusOf(status));
}

absl::Status RunCommand(const CommandLine& line, std::ostream& out, std::ostream& err, const Environment& environment) {
  std::string os_token;
  if (!line.os_token_file.empty()) {
    absl::StatusOr<std::string> token = ReadOsToken(line.os_token_file);
    if (!token.ok()) return token.status();
    os_token = *std::move(token);
  }
  Client client({.endpoint = line.endpoint,
                 .timeout = line.timeout,
                 .notes_waiting = !line.quiet,
                 .os_token = std::move(os_token)},
                environment, err);
  Session session{.client = client,
                  .environment = environment,
                  .out = out,
                  .err = err,
                  .output = line.output,
                  .quiet = line.quiet,
                  .timeout = line.timeout,
                  .endpoint = line.endpoint,
                  .yes = line.yes};
  if (absl::Status status = line.command(session); !status.ok()) return status;
  // A full disk or a closed pipe must not look like success.
  if (!out.flush()) return absl::InternalError("the command was done, but its output could not be written");
  return absl::OkStatus();
}

}  // namespace

int RunVolcryptctl(const std::vector<std::string>& args, std::ostream& out, std::ostream& err,
                   const Environment& environment) {
  const CommandLine line = ParseCommandLine(args, environment.default_endpoint);
  if (!line.text.empty()) {
    (line.error.ok() ? out : err) << line.text << std::flush;
    return static_cast<int>(ExitStatusOf(line.error));
  }
  if (!line.error.ok()) return Report(line.error, line.output, err);
  return Report(RunCommand(line, out, err, environment), line.output, err);
}

}  // namespace volcrypt::ctl
