#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "encryptors/encryptor.h"
#include "encryptors/secret_bytes.h"

namespace volcrypt {

// What is kept with a volume's secret besides its value: hints that inform people and lists, and permit nothing.
struct SecretNote {
  // QEMU decrypts, and the secret is all there is of the attachment. Otherwise it stands beside a mapping.
  bool is_attachment = false;
  std::string device;       // canonical path; empty: there is none on this host
  uint64_t size_bytes = 0;  // what the guest sees; 0: not known
  std::string luks_uuid;
  Encryption encryption;  // as found
  bool read_only = false;
  std::optional<KeyReference> key;

  bool operator==(const SecretNote& other) const;
};

struct VolumeSecret {
  std::string volume_id;
  std::string uuid;
  bool has_value = false;  // false: its making was interrupted; putting it again repairs it
  bool is_lost = false;    // this host recorded it and libvirt does not have it: it ended with libvirtd
  SecretNote note;
};

struct PutSecret {
  std::string uuid;
  bool created = false;  // false: it was there
};

// The secrets of volumes in libvirt: usage type volume, usage id the volume id. Ours are those whose description says
// so; of others nothing is ever changed.
//
// Errors: LIBVIRT_UNAVAILABLE for everything that fails in libvirt; ATTACHED_DIFFERENTLY, which names the secret, when
// somebody else's has the volume's usage. Thread-safe. No call waits past its deadline.
class VolumeSecrets {
 public:
  virtual ~VolumeSecrets() = default;

  // Makes the secret and sets its value, or nothing is left. One of ours that is there gets this value and note. A new
  // one gets `uuid`, of one that was lost, unless that is empty or somebody else's by now.
  virtual absl::StatusOr<PutSecret> Put(const std::string& volume_id, const std::string& uuid, const SecretNote& note,
                                        SecretBytes value, absl::Time deadline) = 0;
  // Changes the note alone. False: there is none of ours.
  virtual absl::StatusOr<bool> Amend(const std::string& volume_id, const SecretNote& note, absl::Time deadline) = 0;
  // Nothing also when the volume's secret is somebody else's.
  virtual absl::StatusOr<std::optional<VolumeSecret>> Find(const std::string& volume_id, absl::Time deadline) = 0;
  // False: there was none of ours.
  virtual absl::StatusOr<bool> Remove(const std::string& volume_id, absl::Time deadline) = 0;
  // Ours, in the order of volume ids.
  virtual absl::StatusOr<std::vector<VolumeSecret>> List(absl::Time deadline) = 0;
};

}  // namespace volcrypt
