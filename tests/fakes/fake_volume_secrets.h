#pragma once

#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "agent/libvirt/volume_secrets.h"
#include "encryptors/reason.h"

namespace volcrypt {

// Secrets that are rows of a map. Thread-safe once is_away is set.
class FakeVolumeSecrets : public VolumeSecrets {
 public:
  bool is_away = false;  // libvirtd does not answer
  std::map<std::string, VolumeSecret> secrets;
  std::map<std::string, std::string> values;  // made-up keys of tests only
  std::vector<std::string> calls;

  absl::StatusOr<PutSecret> Put(const std::string& volume_id, const std::string& uuid, const SecretNote& note,
                                SecretBytes value, absl::Time) override {
    const std::lock_guard lock(mutex_);
    calls.push_back("put " + volume_id);
    if (is_away) return Away();
    const bool created = !secrets.contains(volume_id);
    const std::string made = uuid.empty() ? "uuid-" + std::to_string(++made_) + "-of-" + volume_id : uuid;
    VolumeSecret& secret = secrets[volume_id];
    if (created) secret = {.volume_id = volume_id, .uuid = made};
    secret.has_value = true;
    secret.note = note;
    values[volume_id] = std::string(value.Bytes().begin(), value.Bytes().end());
    return PutSecret{.uuid = secret.uuid, .created = created};
  }

  absl::StatusOr<bool> Amend(const std::string& volume_id, const SecretNote& note, absl::Time) override {
    const std::lock_guard lock(mutex_);
    calls.push_back("amend " + volume_id);
    if (is_away) return Away();
    const auto found = secrets.find(volume_id);
    if (found == secrets.end()) return false;
    found->second.note = note;
    return true;
  }

  absl::StatusOr<std::optional<VolumeSecret>> Find(const std::string& volume_id, absl::Time) override {
    const std::lock_guard lock(mutex_);
    if (is_away) return Away();
    const auto found = secrets.find(volume_id);
    return found == secrets.end() ? std::optional<VolumeSecret>() : std::optional<VolumeSecret>(found->second);
  }

  absl::StatusOr<bool> Remove(const std::string& volume_id, absl::Time) override {
    const std::lock_guard lock(mutex_);
    calls.push_back("remove " + volume_id);
    if (is_away) return Away();
    return secrets.erase(volume_id) == 1;
  }

  absl::StatusOr<std::vector<VolumeSecret>> List(absl::Time) override {
    const std::lock_guard lock(mutex_);
    if (is_away) return Away();
    std::vector<VolumeSecret> all;
    for (const auto& [volume_id, secret] : secrets) all.push_back(secret);
    return all;
  }

 private:
  static absl::Status Away() { return MakeError(Reason::kLibvirtUnavailable, "away on purpose"); }

  int made_ = 0;
  std::mutex mutex_;
};

}  // namespace volcrypt
