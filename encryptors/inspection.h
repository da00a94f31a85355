// What is found on a device that is looked at and left as it is.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "encryptors/encryption.h"
#include "encryptors/key.h"

namespace volcrypt {

enum class Content : uint8_t {
  kUnspecified,
  kBlank,
  kLuks1,
  kLuks2,
  kForeign,
  kUnreadable,
  kIncompleteFormat,
  kErased,
  kDamagedHeader,
};

struct Signature {
  std::string type;  // libblkid's name
  uint64_t offset_bytes = 0;
  std::string uuid;
  std::string label;
};

struct Keyslot {
  uint32_t index = 0;
  std::string pbkdf;
  uint32_t iterations = 0;
  uint32_t memory_kib = 0;
  uint32_t parallelism = 0;
  std::string cipher;
};

struct LuksHeader {
  std::string uuid;
  Encryption encryption;
  std::vector<Keyslot> keyslots;  // active ones
  std::string volume_id;          // of the volcrypt token; a hint that may inform and forbid, never permit
  KeyReference key;               // likewise
  std::string label;
  uint64_t data_offset_bytes = 0;
};

struct Inspection {
  std::string device;  // canonical path
  uint64_t size_bytes = 0;
  Content content = Content::kUnspecified;
  std::vector<Signature> signatures;
  std::optional<LuksHeader> luks;
  std::string mapped_as;
  std::string detail;  // what was found where, for people
};

}  // namespace volcrypt
