#include "tools/volcryptctl/command_app.h"

#include "tools/volcryptctl/key_reference.h"

namespace volcrypt::ctl {
namespace {

CLI::Option* AddKey(CLI::App& app, const std::string& name, std::optional<v1::KeyReference>& key,
                    const std::string& description) {
  const auto store = [&key](const std::string& text) {
    key = ParseKeyReference(text);
    return key.has_value();
  };
  return app
      .add_option_function<std::string>(
          name,
          [name, store](const std::string& text) {
            if (!store(text)) throw CLI::ValidationError(name, "'" + text + "' is not of the form [MANAGER:]KEY_ID");
          },
          description)
      ->type_name("[MANAGER:]KEY_ID");
}

}  // namespace

CLI::App& AddCommand(CLI::App& parent, const std::string& name, const std::string& description,
                     const std::string& example) {
  CLI::App* const command = parent.add_subcommand(name, description);
  command->fallthrough();
  command->footer("Example:\n  " + example + "\n\nGlobal options: see volcryptctl --help");
  return *command;
}

CLI::Option* AddKeyOption(CLI::App& app, std::optional<v1::KeyReference>& key, const std::string& description) {
  return AddKey(app, "--key", key, description);
}

CLI::Option* AddKeyArgument(CLI::App& app, std::optional<v1::KeyReference>& key) {
  return AddKey(app, "KEY", key, "The key, of the default key manager unless MANAGER is given")->required();
}

}  // namespace volcrypt::ctl
