#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/libvirt/volume_secrets.h"

namespace volcrypt {

// What this host has registered in libvirt, one small file a volume, without the value: an ephemeral secret ends with
// libvirtd and leaves nothing that could tell. The records inform and forbid, and never permit; those of another boot
// count for nothing, since nothing of that is attached any more. A text that is no record is as if it were not there.
// Different volumes may be recorded at the same time.
class SecretRecords {
 public:
  struct Record {
    VolumeSecret secret;   // is_lost, until libvirt says otherwise
    bool is_left = false;  // detached while libvirt was away: the secret is to be removed
  };

  // Keeps nothing in an empty directory. It is made when it is needed, its parent is not.
  SecretRecords() = default;
  SecretRecords(std::string directory, std::string boot_id)
      : directory_(std::move(directory)), boot_id_(std::move(boot_id)) {}

  absl::Status Write(const Record& record) const;
  void Remove(const std::string& volume_id) const;
  // STATE_NOT_WRITABLE for what cannot be read, or was recorded in this boot by a newer release: it may forbid what is
  // about to be done, and doubt must not look like "no record".
  absl::StatusOr<std::optional<Record>> Find(const std::string& volume_id) const;
  // In the order of volume ids. Errors as of Find().
  absl::StatusOr<std::vector<Record>> List() const;
  // So that they do not become more with each boot.
  void RemoveThoseOfOtherBoots() const;

 private:
  absl::StatusOr<std::vector<std::string>> VolumeIds() const;

  std::string directory_;
  std::string boot_id_;
};

// Of the running kernel, as it says or, in its place, the unit does; empty when neither says it.
std::string BootId();

}  // namespace volcrypt
