// The sections [key_managers.NAME] of the configuration, one reader for each type.
#pragma once

#include <optional>
#include <string>

#include "agent/config_report.h"
#include "agent/config_table.h"
#include "agent/keys/key_managers_config.h"

namespace volcrypt {

// A section of this type ("local") with its defaults; nothing for a type that there is not.
std::optional<KeyManagersConfig::Section> NewKeyManagerSection(const std::string& type);
// "local, barbican, conf, kmip".
std::string KeyManagerTypeList();

// Reads the table's keys on top of what stands in the section; the type is read already.
void ReadKeyManagerSection(ConfigTable& table, KeyManagersConfig::Section& section);

// After the last file: what each section lacks, or says twice.
void CheckKeyManagerSection(const std::string& name, const KeyManagersConfig::Section& section, ConfigReport& report);

}  // namespace volcrypt
