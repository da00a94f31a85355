#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "agent/keys/kmip/kmip_enumerations.h"

namespace volcrypt {

// KMIP's names: "Get Attributes", "Item Not Found". "operation 0x2A" and the like for others.
std::string NameOf(KmipOperation operation);
std::string NameOf(KmipResultReason reason);

// A refusal by a server as an error of ours, by its reason code: KEY_NOT_FOUND, KEY_ACCESS_DENIED, KEY_UNFIT for what
// is wrong with the key or the request for it, and KEY_MANAGER_UNAVAILABLE. `key_id` is what the caller named, empty
// where no key was.
absl::Status RefusalOf(KmipOperation operation, KmipResultReason reason, const std::string& key_id);

// Whether another server of the list may do better.
bool IsServersOwnTrouble(KmipResultReason reason);

}  // namespace volcrypt
