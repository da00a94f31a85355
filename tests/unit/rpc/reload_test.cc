#include "agent/reload.h"

#include <gtest/gtest.h>

#include <functional>

namespace volcrypt {
namespace {

using Names = std::vector<std::string>;

TEST(Reload, WhatAReloadTakesOverNeedsNoRestart) {
  Config fresh;
  fresh.log.level = "debug";
  fresh.access = {{.role = Role::kCompute, .users = {"nova"}, .groups = {}}};
  EXPECT_EQ(NeedRestart(Config(), fresh), Names{});
}

TEST(Reload, EveryOtherChangeIsNamed) {
  const std::vector<std::pair<std::string, std::function<void(Config&)>>> cases = {
      {"server.listen", [](Config& config) { config.server.listen = {"unix:/elsewhere"}; }},
      {"server.operation_timeout", [](Config& config) { config.server.operation_timeout = absl::Seconds(1); }},
      {"server.max_operations", [](Config& config) { config.server.max_operations = 1; }},
      {"volumes", [](Config& config) { config.volumes.format_if_blank = false; }},
      {"volumes", [](Config& config) { config.volumes.encryption.format = Format::kLuks1; }},
      {"volumes", [](Config& config) { config.volumes.encryption.cipher = "aes-xts-plain"; }},
      {"volumes", [](Config& config) { config.volumes.encryption.key_size_bits = 256; }},
      {"volumes", [](Config& config) { config.volumes.encryption.sector_size_bytes = 512; }},
      {"volumes", [](Config& config) { config.volumes.device_prefixes = {"/srv/"}; }},
      {"volumes", [](Config& config) { config.volumes.allowed_ciphers = {}; }},
      {"key_managers", [](Config& config) { config.key_managers.default_name = "other"; }},
      {"key_managers", [](Config& config) { config.key_managers.sections["other"] = LocalKeyManagerConfig{}; }},
      {"key_managers",
       [](Config& config) {
         config.key_managers.sections = {{"renamed", LocalKeyManagerConfig{}}};
       }},
      {"key_managers",
       [](Config& config) { config.key_managers.sections["local"] = LocalKeyManagerConfig{.path = "/elsewhere"}; }},
      {"key_managers",
       [](Config& config) { config.key_managers.sections["local"] = LocalKeyManagerConfig{.kek_file = "/kek"}; }},
  };
  for (const auto& [name, change] : cases) {
    Config fresh;
    change(fresh);
    EXPECT_EQ(NeedRestart(Config(), fresh), Names{name});
  }
}

}  // namespace
}  // namespace volcrypt
