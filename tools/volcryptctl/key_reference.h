#pragma once

#include <optional>

#include "absl/strings/string_view.h"
#include "volcrypt/v1/volume_encryptor.pb.h"

namespace volcrypt::ctl {

// "[MANAGER:]KEY_ID"; nothing when either is empty. The key id may be a URL, as Barbican gives them, or "name:NAME", as
// KMIP takes them; another one that has a colon needs its manager named. No manager can be called "name" here.
std::optional<v1::KeyReference> ParseKeyReference(absl::string_view text);

}  // namespace volcrypt::ctl
