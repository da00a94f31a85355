// What all commands share when they describe themselves to CLI11.
#pragma once

#include <optional>
#include <string>

#include "CLI/CLI.hpp"
#include "tools/volcryptctl/session.h"
#include "volcrypt/v1/volume_encryptor.pb.h"

namespace volcrypt::ctl {

// A command with its help. The global options are accepted behind it too.
CLI::App& AddCommand(CLI::App& parent, const std::string& name, const std::string& description,
                     const std::string& example);

// --key [MANAGER:]KEY_ID.
CLI::Option* AddKeyOption(CLI::App& app, std::optional<v1::KeyReference>& key, const std::string& description);

// The key as a positional argument.
CLI::Option* AddKeyArgument(CLI::App& app, std::optional<v1::KeyReference>& key);

}  // namespace volcrypt::ctl
