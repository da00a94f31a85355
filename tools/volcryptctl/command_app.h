#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "tools/volcryptctl/session.h"
#include "volcrypt/v1/volume_encryptor.pb.h"

namespace CLI {
class App;
}

namespace volcrypt::ctl {

// What an option of a command is tied to.
struct OptionRules {
  bool required = false;
  std::vector<std::string> one_of;  // empty: anything
  std::string needs;                // another option that must be there too
  std::string excludes;             // another option that must not
  std::string kind;                 // of its value, in the help; FILE also tells completions
};

// A command that describes itself. CLI11 is behind it and not in sight: it costs seconds in every file that includes
// it. Values that options are read into live until the callback has run.
class CommandApp {
 public:
  explicit CommandApp(CLI::App& app) : app_(&app) {}

  // A command of this one with its help. The global options are accepted behind it too.
  CommandApp Add(const std::string& name, const std::string& description, const std::string& example) const;
  // Takes a command of its own, or none.
  void TakeOneCommand() const;

  // An option, or a positional argument when the name has no dashes.
  void AddOption(const std::string& name, std::string& value, const std::string& description,
                 const OptionRules& rules = {}) const;
  // A positive number, one of a few when they are named.
  void AddNumber(const std::string& name, uint32_t& value, const std::string& description,
                 const std::vector<uint32_t>& one_of = {}) const;
  void AddFlag(const std::string& name, bool& value, const std::string& description,
               const OptionRules& rules = {}) const;
  // --key [MANAGER:]KEY_ID, and the key as a positional argument.
  void AddKeyOption(std::optional<v1::KeyReference>& key, const std::string& description) const;
  void AddKeyArgument(std::optional<v1::KeyReference>& key) const;

  // Called when the command line is understood as this command.
  void OnUse(const std::function<void()>& callback) const;

 private:
  CLI::App* app_;
};

// For callbacks: the command line is wrong after all.
[[noreturn]] void FailMissing(const std::string& argument);
[[noreturn]] void FailUsage(const std::string& command, const std::string& what);

}  // namespace volcrypt::ctl
