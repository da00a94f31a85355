#pragma once

#include <optional>

#include "absl/strings/string_view.h"
#include "volcrypt/v1/volume_encryptor.pb.h"

namespace volcrypt::ctl {

// "[MANAGER:]KEY_ID"; nothing when either is empty. A key id that has a colon itself needs its manager named.
std::optional<v1::KeyReference> ParseKeyReference(absl::string_view text);

}  // namespace volcrypt::ctl
