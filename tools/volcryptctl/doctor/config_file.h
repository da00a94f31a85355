#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "tools/volcryptctl/doctor/host.h"

namespace volcrypt::ctl {

// What doctor needs to know of volcryptd's configuration, and what of it may be shown to strangers. It is neither
// checked nor complete: "volcryptd --check-config" does that.
struct ConfigFile {
  struct Store {
    std::string key_manager;
    std::string path;
    std::string kek_file;  // empty: beside the store or a credential; "credential:NAME"
  };
  std::vector<std::string> files;  // that were read, in their order; none is there: the defaults
  std::vector<Store> stores;       // key managers of type local; the default one when none is configured
  // Every setting as "TABLE.KEY = VALUE". Of those that are not known to be harmless the value is "(left out)", and
  // user names and passwords in URLs are cut off. Comments are not among them.
  std::vector<std::string> settings;
};

// Reads FILE and, below its name with .d for .toml, the drop-ins.
absl::StatusOr<ConfigFile> ReadConfigFile(const Host& host, const std::string& path);

}  // namespace volcrypt::ctl
