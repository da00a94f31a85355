#pragma once

#include <string>

namespace volcrypt::bench {

// What libcryptsetup itself costs in process: the same calls and parameters that volcrypt makes, and nothing around.
class Floor {
 public:
  explicit Floor(std::string device) : device_(std::move(device)) {}

  // Reads the ranges of the blank proof twice, past every cache.
  void ReadBlankTwice() const;
  // crypt_format, keyslot, activation.
  void FormatAndActivate(const std::string& type) const;
  // crypt_load, activation.
  void LoadAndActivate() const;
  void Deactivate() const;

 private:
  std::string device_;
};

}  // namespace volcrypt::bench
