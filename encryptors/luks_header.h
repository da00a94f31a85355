#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "encryptors/crypt_device.h"
#include "encryptors/inspection.h"
#include "encryptors/key.h"

namespace volcrypt {

// The token that volcrypt leaves in a LUKS2 header: which volume it is and which key opens it. A hint, written by
// whoever held the disk: it may inform people and forbid a format, never choose a key or permit anything. In the header
// it carries the version of its format, 1: a later one may add members and keeps these, so that every release reads the
// tokens of every other; what changes their meaning gets another token type.
struct VolcryptToken {
  std::string volume_id;
  KeyReference key;
  absl::Time created_at;
  uint32_t generation = 1;
};

std::string ToTokenJson(const VolcryptToken& token);
// Nothing unless it is a token of ours with well-formed fields.
std::optional<VolcryptToken> ParseTokenJson(const std::string& json);

// Describes the header that is loaded in `device`.
LuksHeader ReadLuksHeader(crypt_device* device);

// What volcrypt puts where when it formats, and what it expects of a volume that it formatted.
inline constexpr uint64_t kLuks2MetadataBytes = uint64_t{16} << 10;
inline constexpr uint64_t kLuks2KeyslotsBytes = 2064384;
inline constexpr uint64_t kDataOffsetBytes = uint64_t{2} << 20;

}  // namespace volcrypt
