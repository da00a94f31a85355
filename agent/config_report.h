#pragma once

#include <map>
#include <string>
#include <vector>

#include "agent/config_result.h"

namespace volcrypt {

// Collects what is wrong while a configuration is read, and remembers where each key was set last, so that what only
// shows when everything is read (a cipher that is not allowed) can still be told with its file and line.
class ConfigReport {
 public:
  using Place = ConfigPlace;

  void Remember(const std::string& key, const Place& place) { places_[key] = place; }
  void Fail(const Place& place, const std::string& key, const std::string& what);
  // Where the first of `keys` that was set at all was set; the built-in defaults are nowhere.
  Place PlaceOf(const std::vector<std::string>& keys) const;
  // The key itself or an element of it is among the errors.
  bool HasFailed(const std::string& key) const;

  const std::vector<ConfigError>& Errors() const { return errors_; }
  const std::map<std::string, Place>& Places() const { return places_; }

 private:
  std::vector<ConfigError> errors_;
  std::map<std::string, Place> places_;
};

}  // namespace volcrypt
