// A first-use record as user metadata of a secret. Pure.
//
// The name is "volcrypt-" and the volume's id in lower case, because Barbican makes it lower case anyway. An id with a
// dot, which Barbican refuses in a name, is "volcrypt-sha256-" and the SHA-256 of the id in lower case, in hexadecimal.
// The value is for people, too:
//   state=claimed|formatted host=HOST luks=UUID volume=VOLUME_ID v=1
// A later version (v) may add words, which are left alone; what an older release does not understand it takes for a
// record of a formatted volume, which forbids. Barbican holds 255 characters of each.
//
// While hosts compete for the first use each has a row of its own beside that, of the name with "-claim-" and the LUKS
// UUID without its hyphens behind it: barbican_claim.h. A volume's own id may look like that: the value tells.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "agent/keys/key_manager.h"

namespace volcrypt {

absl::StatusOr<std::string> FirstUseName(const std::string& volume_id);

// INVALID_FIELD for a host or UUID that cannot be one.
absl::StatusOr<std::string> FirstUseValue(const FirstUseRecord& record);

// A value that somebody else wrote is a record all the same, of a formatted volume of which nothing more is known: a
// record forbids, and whoever damages one must not allow a format by that. volume_id is empty when the value names no
// volume whose record has this name.
FirstUseRecord ParseFirstUse(absl::string_view name, absl::string_view value);

// The name of the row with which this claim competes. INVALID_FIELD for what is no UUID.
absl::StatusOr<std::string> ClaimName(const FirstUseRecord& claim);

struct FirstUseClaim {
  std::string name;
  FirstUseRecord record;  // damaged: as ParseFirstUse says, of the volume that was asked for
  bool is_damaged = false;
};

// What stands for one volume.
struct FirstUseRows {
  std::optional<FirstUseRecord> main;
  std::vector<FirstUseClaim> claims;  // by name
  // Barbican cannot tell its rows from this volume's, whose id differs in case only; empty: there is none.
  std::string other_volume_id;
};
FirstUseRows FirstUseRowsOf(const std::string& volume_id, const std::map<std::string, std::string>& metadata);

// The records among all user metadata of a secret, one of a volume: a claim counts where there is nothing else. Without
// a volume's id in the value, it is taken from the name.
std::vector<FirstUseRecord> FirstUsesIn(const std::map<std::string, std::string>& metadata);

}  // namespace volcrypt
