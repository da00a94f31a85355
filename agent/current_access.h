#pragma once

#include <memory>
#include <mutex>
#include <utility>

#include "agent/access.h"

namespace volcrypt {

// The access rules in force. A reload puts others in their place; calls in progress keep those they began with.
// Thread-safe.
class CurrentAccess {
 public:
  explicit CurrentAccess(std::shared_ptr<const AccessRules> rules) : rules_(std::move(rules)) {}

  std::shared_ptr<const AccessRules> Get() const {
    const std::lock_guard lock(mutex_);
    return rules_;
  }
  void Set(std::shared_ptr<const AccessRules> rules) {
    const std::lock_guard lock(mutex_);
    rules_ = std::move(rules);
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const AccessRules> rules_;
};

}  // namespace volcrypt
