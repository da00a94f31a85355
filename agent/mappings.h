#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "encryptors/encryptor.h"

namespace volcrypt {

// Reads the dm-crypt mappings of ours from sysfs, which needs no privilege and never blocks on a hung device.
// Fields that sysfs does not know stay empty: cipher, key size, open count, key, deferred removal.
// A mapping is ours by its name and its dm UUID together; what vanishes while it is read is left out.
class Mappings {
 public:
  explicit Mappings(std::string sysfs_root = "/sys") : sysfs_root_(std::move(sysfs_root)) {}

  // In the order of volume ids.
  std::vector<Mapping> List() const;
  std::optional<Mapping> Find(const std::string& volume_id) const;

 private:
  std::string sysfs_root_;
};

}  // namespace volcrypt
