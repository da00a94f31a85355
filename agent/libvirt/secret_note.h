// A secret's note as words: name=value, percent-encoded, so that none ever needs escaping in XML or a line of a file.
#pragma once

#include <optional>
#include <string>

#include "agent/libvirt/volume_secrets.h"

namespace volcrypt {

struct SecretDescription {
  SecretNote note;
  bool has_value = false;
};

// Begins with "volcrypt".
std::string ToText(const SecretDescription& description);

// Nothing unless it is a text that ToText wrote; fields that are damaged are as if not there.
std::optional<SecretDescription> ParseSecretDescription(const std::string& text);

}  // namespace volcrypt
