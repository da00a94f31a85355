// The vocabulary of volume encryption and the interface behind which it happens.
//
// Encryptor has four implementations: VolumeEncryptor (the LUKS code, in a worker of volcrypt-helper), HelperClient
// (the agent's proxy to such a worker), the worker's dispatcher, which is driven by requests, and the tests' fake.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "encryptors/encryption.h"
#include "encryptors/inspection.h"
#include "encryptors/key.h"

namespace volcrypt {

// kWaiting is of no mapping: the agent attaches the volume at boot, and has not yet.
enum class MappingState : uint8_t { kActive, kSuspended, kBroken, kDetaching, kWaiting };

// A dm-crypt mapping of ours as it is on this host.
struct Mapping {
  std::string volume_id;
  MappingState state = MappingState::kActive;
  std::string state_reason;  // why not kActive, for people
  std::string device;        // backing device or file, canonical path
  // Of the backing device, for people: its number, and WWN, serial and dm UUID, as far as the kernel knows them.
  std::string device_identity;
  std::string device_path;  // /dev/mapper/volcrypt-<volume_id>
  uint64_t size_bytes = 0;  // what the guest sees
  std::string luks_uuid;
  Encryption encryption;  // as found
  bool read_only = false;
  uint64_t open_count = 0;
  std::string header_volume_id;            // of the token, when it names another volume
  std::optional<KeyReference> key;         // from this host's record
  std::optional<absl::Time> formatted_at;  // likewise
};

struct AttachRequest {
  std::string volume_id;
  std::string device;     // absolute path
  KeyReference key;       // goes into token and records
  Encryption encryption;  // used when the volume is formatted; of one that exists, the header counts
  bool read_only = false;
  bool allow_discards = false;
  bool may_format = false;  // first use is allowed by the caller and the configuration
  // Second operation of a first use: the LUKS UUID that was claimed for this volume in the first-use record.
  std::string format_as_uuid;
  std::vector<std::string> allowed_ciphers;  // beyond the helper's own list nothing is ever allowed
  // For QEMU, which decrypts itself: stops after the verified open and makes no mapping. LUKS1 alone.
  bool leave_unmapped = false;
  // With it: the volume is known to be attached so, as this LUKS UUID. While the device holds that, no key is needed.
  std::string attached_as_uuid;
  // The other volumes of this host that QEMU decrypts, and their devices. QEMU claims none of them, so the kernel would
  // let each be opened twice.
  std::map<std::string, std::string> decrypted_by_qemu;
  // A volume that is attached already is answered only when the key opens it.
  bool check_key = false;
};

enum class AttachOutcome : uint8_t {
  kOpened,
  kAlreadyAttached,
  kFormatted,
  kBlank,      // nothing there and first use is allowed: claim the first-use record, then ask again with format_as_uuid
  kKeyNeeded,  // asked without a key, and everything up to the need for one was right
};

struct AttachResult {
  AttachOutcome outcome = AttachOutcome::kOpened;
  Mapping mapping;          // not for kKeyNeeded; for kBlank the device alone
  std::string resume_uuid;  // kBlank: an interrupted first use on this host began with this LUKS UUID; continue with it
  std::vector<std::string> warnings;
};

// Metadata of an error that came after the worker had begun to format: something may have been written.
inline constexpr std::string_view kFormatBegun = "format_begun";
// Metadata of an error that came after the device was opened: Mapping::device_identity.
inline constexpr std::string_view kDeviceIdentity = "device_identity";

struct DetachRequest {
  std::string volume_id;  // one of the two
  std::string device;
  bool deferred = false;
};

struct DetachResult {
  bool was_attached = false;
  bool pending = false;   // deferred: still in use
  std::string volume_id;  // whose mapping it was
  std::string device;     // canonical path, of the one that was named or, if it was attached, of the mapping's
  // Of what was attached.
  std::string device_identity;
  std::string luks_uuid;
};

struct ExtendRequest {
  std::string volume_id;
  std::vector<std::string> allowed_ciphers;
};

struct ExtendResult {
  Mapping mapping;
  uint64_t previous_size_bytes = 0;
};

// Errors carry a reason (encryptors/reason.h). A deadline bounds the wait, not the work: DEVICE_TIMED_OUT means that
// the work may still finish. `key` may be null and stays the caller's.
class Encryptor {
 public:
  virtual ~Encryptor() = default;

  virtual absl::StatusOr<AttachResult> Attach(const AttachRequest& request, const Key* key, absl::Time deadline) = 0;
  virtual absl::StatusOr<DetachResult> Detach(const DetachRequest& request, absl::Time deadline) = 0;
  // LUKS2 answers KEY_REQUIRED without a key.
  virtual absl::StatusOr<ExtendResult> Extend(const ExtendRequest& request, const Key* key, absl::Time deadline) = 0;
  virtual absl::StatusOr<Inspection> Inspect(const std::string& device, absl::Time deadline) = 0;
  // One mapping from the kernel and this host's record. Takes no lock and does not touch the device. NOT_ATTACHED.
  virtual absl::StatusOr<Mapping> Query(const std::string& volume_id, absl::Time deadline) = 0;
  // Drops this host's records of the volume; touches no device. DEVICE_IN_USE while it is attached.
  virtual absl::Status Forget(const std::string& volume_id, absl::Time deadline) = 0;
};

}  // namespace volcrypt
