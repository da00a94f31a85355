#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/keys/key_manager.h"
#include "encryptors/key.h"

namespace volcrypt {

// The configured key managers by name. Not changed after start-up, so calls need no lock.
class KeyManagers {
 public:
  struct Entry {
    std::string type;  // local, barbican, conf, kmip
    std::unique_ptr<KeyManager> manager;
  };
  struct Found {
    std::string name;  // of its section; never empty
    KeyManager* manager;
  };

  KeyManagers(std::string default_name, std::map<std::string, Entry> entries)
      : default_name_(std::move(default_name)), entries_(std::move(entries)) {}

  const std::string& DefaultName() const { return default_name_; }
  // Empty: the default one. UNKNOWN_KEY_MANAGER names the ones there are.
  absl::StatusOr<Found> Find(const std::string& name) const;
  // Who keeps this key. Where the reference names nobody, the fixed key's id means the section of type conf, if there
  // is one, whatever the default is: clouds that have left the fixed key behind still have volumes with that id.
  absl::StatusOr<Found> FindFor(const KeyReference& key) const;
  const std::map<std::string, Entry>& Entries() const { return entries_; }
  // For others to be made of them.
  std::map<std::string, Entry> TakeEntries() && { return std::move(entries_); }

 private:
  std::string default_name_;
  std::map<std::string, Entry> entries_;
};

// What a key manager cannot do (NotHeld) as an error for a caller who asked for just that: INVALID_FIELD, field
// key_manager. Other errors stay as they are.
absl::Status RefusalOf(const absl::Status& status, const std::string& key_manager);

}  // namespace volcrypt
