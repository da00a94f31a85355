// Values as people read them.
#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "volcrypt/v1/volume_encryptor.pb.h"

namespace volcrypt::ctl {

// Labels and ids come from disks that strangers wrote: everything but printable ASCII becomes \xNN, so that no text can
// steer the terminal or fake a line. JSON output has the exact text.
std::string Printable(absl::string_view text);

// 254.0 MiB.
std::string HumanSize(uint64_t bytes);

// 254.0 MiB (266338304 bytes).
std::string ExactSize(uint64_t bytes);

// The word of an enumerator without its prefix: ("FORMAT_LUKS2", "FORMAT_") -> luks2.
std::string EnumWord(absl::string_view name, absl::string_view prefix);

std::string FormatWord(v1::Encryption::Format format);

// MANAGER:KEY_ID, or KEY_ID where no key manager is named; empty without a key id.
std::string KeyText(const v1::KeyReference& key);

std::string YesNo(bool value);

}  // namespace volcrypt::ctl
