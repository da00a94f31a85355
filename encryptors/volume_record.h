#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include "absl/strings/string_view.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "encryptors/encryption.h"
#include "encryptors/key.h"

namespace volcrypt {

// "Volume V is LUKS UUID U on this host" (known volumes) or "a format of V as U began here" (intents): the same facts,
// kept in different directories. A few lines of text, "name value", so that an operator can read them.
struct VolumeRecord {
  std::string volume_id;
  std::string luks_uuid;
  Format format = Format::kUnspecified;
  std::string cipher;              // empty: not known
  uint32_t key_size_bits = 0;      // of the volume key
  uint32_t sector_size_bytes = 0;  // likewise
  KeyReference key;
  std::optional<absl::Time> formatted_at;     // when this host formatted it
  std::optional<uint64_t> data_offset_bytes;  // where this host put its data
  std::string device;                         // of an intent: BackingDevice::ReadLastingIdentity
};

std::string ToText(const VolumeRecord& record);
// kInvalidArgument says which line is wrong, kUnimplemented that a newer release wrote it.
absl::StatusOr<VolumeRecord> ParseVolumeRecord(absl::string_view text);

// The durable records of this host: DIR/known/<volume_id> and DIR/intents/<volume_id>, root only. A write has reached
// the disk, file and directory, when it returns. Errors: STATE_NOT_WRITABLE, also for a record that cannot be read or
// understood, since doubt must not look like "no record".
class VolumeRecords {
 public:
  enum class Kind : uint8_t { kKnown, kIntent };

  explicit VolumeRecords(std::string state_dir) : state_dir_(std::move(state_dir)) {}

  absl::StatusOr<std::optional<VolumeRecord>> Read(Kind kind, const std::string& volume_id) const;
  absl::Status Write(Kind kind, const VolumeRecord& record) const;
  // Removing what is not there succeeds.
  absl::Status Remove(Kind kind, const std::string& volume_id) const;
  // For messages: the file of a record.
  std::string PathOf(Kind kind, const std::string& volume_id) const;

 private:
  std::string state_dir_;
};

}  // namespace volcrypt
