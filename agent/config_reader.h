#pragma once

#include <set>
#include <string>
#include <string_view>

#include "agent/config.h"
#include "agent/config_report.h"
#include "agent/config_result.h"
#include "agent/config_table.h"

namespace volcrypt {

// Puts a configuration together from files, each on top of the ones before: a key replaces the same key, a list the
// whole list, and [[access]] tables all earlier ones. Every file is checked in full, replaced values too.
class ConfigReader {
 public:
  void Add(std::string_view text, const std::string& file);
  // For what is wrong with a file as a whole.
  ConfigReport& Report() { return report_; }
  // After the last file: checks what needs all of them.
  ConfigResult Finish();

 private:
  void ReadFile(ConfigTable& file);
  void ReadServer(ConfigTable& server);
  void ReadServerTls(ConfigTable& tls);
  void ReadAccess(ConfigTable& file);
  void ReadVolumes(ConfigTable& volumes);
  void ReadLibvirt(ConfigTable& libvirt);
  void ReadKeyManager(ConfigTable& key_manager);
  void ReadKeyManagers(ConfigTable& key_managers);
  KeyManagersConfig::Section* TypedSection(ConfigTable& section, const std::string& name, bool is_new);
  void CheckServerTls();
  void CheckEncryption();
  void CheckKeyManagers();
  void CheckStorePaths();
  void CheckFixedKeys();

  Config config_;
  ConfigReport report_;
  // Every [key_managers.NAME] that was seen, wrong ones too, so that one mistake is not reported twice.
  std::set<std::string> key_manager_names_;
};

}  // namespace volcrypt
