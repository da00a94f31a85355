#include "tools/volcryptctl/command_line.h"

#include <algorithm>

#include "CLI/CLI.hpp"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "tools/volcryptctl/attach_command.h"
#include "tools/volcryptctl/call_error.h"
#include "tools/volcryptctl/command_app.h"
#include "tools/volcryptctl/detach_command.h"
#include "tools/volcryptctl/doctor/doctor_command.h"
#include "tools/volcryptctl/endpoint.h"
#include "tools/volcryptctl/extend_command.h"
#include "tools/volcryptctl/forget_command.h"
#include "tools/volcryptctl/health_command.h"
#include "tools/volcryptctl/inspect_command.h"
#include "tools/volcryptctl/key_command.h"
#include "tools/volcryptctl/list_command.h"
#include "tools/volcryptctl/maintenance_command.h"
#include "tools/volcryptctl/show_command.h"
#include "tools/volcryptctl/version_command.h"
#include "tools/volcryptctl/wait_command.h"

namespace volcrypt::ctl {
namespace {

constexpr const char* kFooter =
    "Global options stand before or behind the command.\n\n"
    "Example:\n"
    "  volcryptctl attach 3f6c0a9e-5d4b-4f0e-9f6b-2f1f1c2b7a10 /dev/sdb --new-key\n\n"
    "Exit status:\n"
    "  0 done; 1 wrong usage or argument; 2 key not found, denied, rejected, unfit;\n"
    "  4 device, attachment or domain not found; 5 device, mapping or key in use, or attached differently;\n"
    "  6 refused to protect data, an operator has to look; 7 something away or busy, retry;\n"
    "  8 timed out or interrupted; 9 caller not allowed; 70 internal";

std::string CheckTimeout(const std::string& text) {
  absl::Duration timeout;
  if (!absl::ParseDuration(text, &timeout) || timeout <= absl::ZeroDuration() || timeout > absl::Hours(24)) {
    return absl::StrCat("'", text, "' is not a time above 0 and up to 24h, like 60s or 5m");
  }
  return "";
}

void AddGlobalOptions(CLI::App& app, CommandLine& line) {
  app.add_option("--endpoint", line.endpoint, "Where volcryptd listens; also $VOLCRYPT_ENDPOINT")
      ->type_name("unix:PATH")
      ->default_str(line.endpoint);
  app.add_option_function<std::string>(
         "-o,--output",
         [&line](const std::string& word) { line.output = word == "json" ? Output::kJson : Output::kTable; },
         "A table for people or JSON for programs")
      ->check(CLI::IsMember({"table", "json"}))
      ->default_str("table");
  app.add_option_function<std::string>(
         "--timeout", [&line](const std::string& text) { absl::ParseDuration(text, &line.timeout); },
         "How long to wait for each answer")
      ->check(CLI::Validator(CheckTimeout, ""))
      ->type_name("DURATION")
      ->default_str("60s");
  app.add_flag("-q,--quiet", line.quiet, "Print the essential value alone, and no notes");
  app.add_option("--os-token-file", line.os_token_file,
                 "Send the Keystone token in this file along, for keys that its user may read")
      ->type_name("FILE");
  app.add_flag("--yes", line.yes, "Do not ask before destructive commands");
}

void AddCommands(const CommandApp& app, Command& selected) {
  AddAttachCommand(app, selected);
  AddDetachCommand(app, selected);
  AddListCommand(app, selected);
  AddShowCommand(app, selected);
  AddWaitCommand(app, selected);
  AddExtendCommand(app, selected);
  AddInspectCommand(app, selected);
  AddForgetCommand(app, selected);
  AddKeyCommand(app, selected);
  AddMaintenanceCommand(app, selected);
  AddHealthCommand(app, selected);
  AddDoctorCommand(app, selected);
  AddVersionCommand(app, selected);
}

// A command line that cannot be parsed still tells in which form its error is wanted.
bool WantsJson(const std::vector<std::string>& args) {
  for (size_t i = 0; i < args.size(); ++i) {
    if (args[i] == "-ojson" || args[i] == "--output=json") return true;
    if ((args[i] == "-o" || args[i] == "--output") && i + 1 < args.size() && args[i + 1] == "json") return true;
  }
  return false;
}

// The names of the commands that were given, for "volcryptctl key create --help".
std::string HelpCommand(const CLI::App& app) {
  std::string text = app.get_name();
  for (const CLI::App* command : app.get_subcommands()) absl::StrAppend(&text, " ", HelpCommand(*command));
  return text;
}

absl::Status Usage(const CLI::App& app, absl::string_view message) {
  return UsageError(absl::StrCat(message, "; see ", HelpCommand(app), " --help"));
}

}  // namespace

CommandLine ParseCommandLine(const std::vector<std::string>& args, const std::string& default_endpoint) {
  CommandLine line;
  line.endpoint = default_endpoint;
  CLI::App app("Attach, detach and look after the encrypted volumes of this host, through volcryptd", "volcryptctl");
  app.footer(kFooter);
  app.require_subcommand(0, 1);
  app.set_version_flag("--version", absl::StrCat("volcryptctl ", VOLCRYPT_VERSION), "Print the version of volcryptctl");
  AddGlobalOptions(app, line);
  AddCommands(CommandApp(app), line.command);
  try {
    app.parse(std::vector<std::string>(args.rbegin(), args.rend()));
  } catch (const CLI::CallForVersion& version) {
    line.text = absl::StrCat(version.what(), "\n");
    return line;
  } catch (const CLI::CallForHelp&) {
    line.text = app.help();
    return line;
  } catch (const CLI::Error& error) {
    line.command = nullptr;
    if (WantsJson(args)) line.output = Output::kJson;
    line.error = Usage(app, error.what());
    return line;
  }
  if (!line.command) {
    line.text = app.help();
    line.error = Usage(app, "no command");
  } else if (const absl::Status endpoint = CheckEndpoint(line.endpoint); !endpoint.ok()) {
    line.error = Usage(app, endpoint.message());
  }
  return line;
}

}  // namespace volcrypt::ctl
