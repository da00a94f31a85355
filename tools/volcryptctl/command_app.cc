#include "tools/volcryptctl/command_app.h"

#include "CLI/CLI.hpp"
#include "tools/volcryptctl/key_reference.h"

namespace volcrypt::ctl {
namespace {

void Apply(CLI::App& app, CLI::Option& option, const OptionRules& rules) {
  if (rules.required) option.required();
  if (!rules.one_of.empty()) option.check(CLI::IsMember(rules.one_of));
  if (!rules.needs.empty()) option.needs(app.get_option(rules.needs));
  if (!rules.kind.empty()) option.type_name(rules.kind);
  if (!rules.excludes.empty()) option.excludes(app.get_option(rules.excludes));
}

CLI::Option* AddKey(CLI::App& app, const std::string& name, std::optional<v1::KeyReference>& key,
                    const std::string& description) {
  const auto store = [name, &key](const std::string& text) {
    key = ParseKeyReference(text);
    if (!key) throw CLI::ValidationError(name, "'" + text + "' is not of the form [MANAGER:]KEY_ID");
  };
  return app.add_option_function<std::string>(name, store, description)->type_name("[MANAGER:]KEY_ID");
}

}  // namespace

CommandApp CommandApp::Add(const std::string& name, const std::string& description, const std::string& example) const {
  CLI::App* const command = app_->add_subcommand(name, description);
  command->fallthrough();
  command->footer("Example:\n  " + example + "\n\nGlobal options: see volcryptctl --help");
  return CommandApp(*command);
}

void CommandApp::TakeOneCommand() const { app_->require_subcommand(0, 1); }

void CommandApp::AddOption(const std::string& name, std::string& value, const std::string& description,
                           const OptionRules& rules) const {
  Apply(*app_, *app_->add_option(name, value, description), rules);
}

void CommandApp::AddNumber(const std::string& name, uint32_t& value, const std::string& description,
                           const std::vector<uint32_t>& one_of) const {
  CLI::Option* const option = app_->add_option(name, value, description);
  if (one_of.empty()) {
    option->check(CLI::PositiveNumber);
  } else {
    option->check(CLI::IsMember(one_of));
  }
}

void CommandApp::AddFlag(const std::string& name, bool& value, const std::string& description,
                         const OptionRules& rules) const {
  Apply(*app_, *app_->add_flag(name, value, description), rules);
}

void CommandApp::AddKeyOption(std::optional<v1::KeyReference>& key, const std::string& description) const {
  AddKey(*app_, "--key", key, description);
}

void CommandApp::AddKeyArgument(std::optional<v1::KeyReference>& key) const {
  AddKey(*app_, "KEY", key, "The key, of the default key manager unless MANAGER is given")->required();
}

void CommandApp::OnUse(const std::function<void()>& callback) const { app_->callback(callback); }

void FailMissing(const std::string& argument) { throw CLI::RequiredError(argument); }

void FailUsage(const std::string& command, const std::string& what) { throw CLI::ValidationError(command, what); }

}  // namespace volcrypt::ctl
