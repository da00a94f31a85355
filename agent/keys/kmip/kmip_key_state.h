// What the states of a key mean to volcrypt. KMIP 1.4, section 3.22: a key before its activation is for nothing yet;
// one that is active protects and reads; one after its deactivation, or that is compromised, still reads what it
// protects, and refusing it would lock the data away with the key.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "agent/keys/kmip/kmip_answers.h"

namespace volcrypt {

// "pre-active", "active" and so on.
std::string StateName(KmipState state);

bool IsDestroyed(const KmipAttributes& attributes);
absl::Status KeyWasDestroyed(const std::string& key_id);

// KEY_UNFIT, or KEY_NOT_FOUND for a destroyed key, unless it may open a volume. A state that the server does not show
// forbids nothing: then the server itself decides what it gives away.
absl::Status CheckMayOpen(const KmipAttributes& attributes, const std::string& key_id);
// What an operator should know of a key that may open a volume: a sentence; empty: nothing.
std::string WarningAbout(const KmipAttributes& attributes, const std::string& key_id);

// The same as CheckMayOpen for a volume's first use.
absl::Status CheckMayProtect(const KmipAttributes& attributes, const std::string& key_id);

}  // namespace volcrypt
