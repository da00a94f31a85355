#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/config.h"
#include "agent/keys/key_managers.h"
#include "agent/mappings.h"
#include "agent/operation_slots.h"
#include "encryptors/encryptor.h"

namespace volcrypt {

enum class AttachMode : uint8_t { kUnspecified, kHostMapping, kLibvirtSecret };
enum class FirstUse : uint8_t { kUnspecified, kFormatIfBlank, kRefuse };

// AttachVolumeRequest as it came, in words of our own (proto/volcrypt/v1/volume_encryptor.proto says what each means).
struct AttachCall {
  std::string volume_id;
  std::string device;
  std::optional<KeyReference> key;
  Encryption encryption;
  bool encryption_none = false;  // FORMAT_NONE was asked for
  AttachMode mode = AttachMode::kUnspecified;
  FirstUse first_use = FirstUse::kUnspecified;
  bool read_only = false;
  bool allow_discards = false;
  bool register_libvirt_secret = false;
  std::string provider;
  std::string control_location;
  bool caller_is_admin = false;
};

struct AttachAnswer {
  Mapping mapping;
  bool formatted = false;
  bool already_attached = false;
  std::vector<std::string> warnings;  // for the log
};

struct ExtendCall {
  std::string volume_id;
  std::optional<KeyReference> key;
  bool caller_is_admin = false;
};

// The core: attach, detach and the rest as idempotent operations over an encryptor, the key managers and what the
// kernel says. Keeps no state of its own, so a restart has nothing to recover. Thread-safe.
class Attacher {
 public:
  // All references outlive the attacher. `host` names this host in first-use records.
  Attacher(Encryptor& encryptor, const KeyManagers& key_managers, const Mappings& mappings, OperationSlots& slots,
           VolumesConfig config, std::string host);

  absl::StatusOr<AttachAnswer> Attach(const AttachCall& call, absl::Time deadline);
  absl::StatusOr<DetachResult> Detach(const DetachRequest& request, absl::Time deadline);
  absl::StatusOr<ExtendResult> Extend(const ExtendCall& call, absl::Time deadline);
  absl::StatusOr<Inspection> Inspect(const std::string& device, absl::Time deadline);
  absl::StatusOr<Mapping> Get(const std::string& volume_id, absl::Time deadline);
  // Takes no slot and asks no other process.
  std::vector<Mapping> List() const;
  absl::Status Forget(const std::string& volume_id, const std::optional<KeyReference>& key, absl::Time deadline);

 private:
  Encryptor& encryptor_;
  const KeyManagers& key_managers_;
  const Mappings& mappings_;
  OperationSlots& slots_;
  const VolumesConfig config_;
  const std::string host_;
};

}  // namespace volcrypt
