#include "agent/command_line.h"

#include <CLI/CLI.hpp>

namespace volcrypt {
namespace {

constexpr const char* kFooter = R"(
SIGTERM lets running operations finish and refuses new ones; SIGHUP reads access rules, log level, audit file and
volumes.d again.

Examples:
  volcryptd --check-config --config ./volcryptd.toml     say everything that is wrong with a configuration
  volcryptd --spawn-helper                               as root, without systemd: starts volcrypt-helper itself, then
                                                         gives up root for the user volcrypt where there is one)";

void AddOptions(CLI::App& app, CommandLine& line) {
  app.add_option("--config", line.config_path,
                 "Configuration file; drop-ins are read from FILE's name with .d for .toml")
      ->type_name("FILE")
      ->capture_default_str();
  app.add_flag("--check-config", line.check_config, "Report every error of the configuration and end");
  CLI::Option* const spawn = app.add_flag("--spawn-helper", line.spawn_helper,
                                          "Start volcrypt-helper (needs root), then drop to user volcrypt");
  app.add_option("--helper-socket", line.helper_socket, "Where volcrypt-helper listens")
      ->type_name("PATH")
      ->capture_default_str()
      ->excludes(spawn);
  app.add_option("--state", line.helper_state, "With --spawn-helper: the helper's durable records")
      ->type_name("DIR")
      ->needs(spawn);
  app.add_option("--lock-dir", line.helper_lock_dir, "With --spawn-helper: the helper's lock files")
      ->type_name("DIR")
      ->needs(spawn);
}

}  // namespace

std::variant<CommandLine, ExitStatus> ParseCommandLine(int argc, const char* const* argv) {
  constexpr int kWrongUsage = 2;
  CommandLine line;
  CLI::App app(
      "Gives this host encrypted volumes: attaches, detaches and first-formats LUKS volumes for callers on a\n"
      "Unix socket or over mutual TLS, with keys from a key manager.",
      "volcryptd");
  app.footer(kFooter);
  app.set_version_flag("--version", "volcryptd " VOLCRYPT_VERSION);
  AddOptions(app, line);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // exit() prints help and version to standard output, errors to standard error.
    return ExitStatus{app.exit(error) == 0 ? 0 : kWrongUsage};
  }
  line.config_named = app.count("--config") > 0;
  return line;
}

}  // namespace volcrypt
