#include "agent/reload.h"

#include <gtest/gtest.h>

#include <functional>

namespace volcrypt {
namespace {

using Names = std::vector<std::string>;

TEST(Reload, WhatAReloadTakesOverNeedsNoRestart) {
  Config fresh;
  fresh.log.level = "debug";
  fresh.access = {{.role = Role::kCompute, .users = {"nova"}, .groups = {}, .certificate_names = {}}};
  EXPECT_EQ(NeedRestart(Config(), fresh), Names{});
}

TEST(Reload, EveryOtherChangeIsNamed) {
  const std::vector<std::pair<std::string, std::function<void(Config&)>>> cases = {
      {"server.listen", [](Config& config) { config.server.listen = {"unix:/elsewhere"}; }},
      {"server.operation_timeout", [](Config& config) { config.server.operation_timeout = absl::Seconds(1); }},
      {"server.max_operations", [](Config& config) { config.server.max_operations = 1; }},
      {"server.max_calls_per_caller", [](Config& config) { config.server.max_calls_per_caller = 1; }},
      {"server.tls", [](Config& config) { config.server.tls.client_ca = "/elsewhere"; }},
      {"metrics.listen", [](Config& config) { config.metrics.listen = "127.0.0.1:9464"; }},
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

// A section of this type: the same as it is needs no restart, with any one change it does.
template <typename Section>
void ExpectRestartForEach(const std::vector<std::function<void(Section&)>>& changes) {
  Config running;
  running.key_managers.sections = {{"x", Section()}};
  EXPECT_EQ(NeedRestart(running, running), Names{});
  for (size_t i = 0; i < changes.size(); ++i) {
    Section section;
    changes[i](section);
    Config fresh;
    fresh.key_managers.sections = {{"x", section}};
    EXPECT_EQ(NeedRestart(running, fresh), Names{"key_managers"}) << "change " << i;
  }
}

TEST(Reload, EveryChangeOfABarbicanSectionNeedsARestart) {
  using Section = BarbicanConfig;
  ExpectRestartForEach<Section>({
      [](Section& section) { section.auth_url = "https://k/v3"; },
      [](Section& section) { section.application_credential_id = "i"; },
      [](Section& section) { section.application_credential_secret_file = "/s"; },
      [](Section& section) { section.username = "u"; },
      [](Section& section) { section.password_file = "/p"; },
      [](Section& section) { section.project_name = "p"; },
      [](Section& section) { section.user_domain_name = "d"; },
      [](Section& section) { section.project_domain_name = "d"; },
      [](Section& section) { section.region = "r"; },
      [](Section& section) { section.interface = "public"; },
      [](Section& section) { section.endpoint = "https://b"; },
      [](Section& section) { section.ca_file = "/ca"; },
      [](Section& section) { section.accept_caller_token = false; },
      [](Section& section) { section.grant_agent_read = true; },
      [](Section& section) { section.timeout = absl::Seconds(1); },
  });
}

TEST(Reload, EveryChangeOfAFixedKeyOrKmipSectionNeedsARestart) {
  ExpectRestartForEach<FixedKeyConfig>({
      [](FixedKeyConfig& section) { section.fixed_key_file = "/f"; },
      [](FixedKeyConfig& section) { section.high_entropy = true; },
  });
  using Section = KmipConfig;
  ExpectRestartForEach<Section>({
      [](Section& section) { section.servers = {"a:1"}; },
      [](Section& section) { section.client_certificate = "/c"; },
      [](Section& section) { section.client_private_key = "/k"; },
      [](Section& section) { section.ca_file = "/ca"; },
      [](Section& section) { section.username = "u"; },
      [](Section& section) { section.password_file = "/p"; },
      [](Section& section) { section.timeout = absl::Seconds(1); },
  });
}

TEST(Reload, AnotherTypeOfAKeyManagerNeedsARestart) {
  Config running;
  running.key_managers.sections = {{"x", FixedKeyConfig()}};
  Config fresh;
  fresh.key_managers.sections = {{"x", KmipConfig()}};
  EXPECT_EQ(NeedRestart(running, fresh), Names{"key_managers"});
}

}  // namespace
}  // namespace volcrypt
