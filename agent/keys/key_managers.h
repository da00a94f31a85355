#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/keys/key_manager.h"

namespace volcrypt {

// The configured key managers by name. Not changed after start-up, so calls need no lock.
class KeyManagers {
 public:
  struct Entry {
    std::string type;  // local
    std::unique_ptr<KeyManager> manager;
  };

  KeyManagers(std::string default_name, std::map<std::string, Entry> entries)
      : default_name_(std::move(default_name)), entries_(std::move(entries)) {}

  const std::string& DefaultName() const { return default_name_; }
  // Empty: the default one. UNKNOWN_KEY_MANAGER names the ones there are.
  absl::StatusOr<KeyManager*> Find(const std::string& name) const;
  const std::map<std::string, Entry>& Entries() const { return entries_; }

 private:
  std::string default_name_;
  std::map<std::string, Entry> entries_;
};

}  // namespace volcrypt
