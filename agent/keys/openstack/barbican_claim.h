// Of several hosts that claim a volume's first use at the same time at most one wins.
//
// Barbican has no write that only one can win: its POST looks whether the name is taken and later, in another step,
// deletes whatever has that name and inserts. A second host's POST may replace the record that the first has already
// read back, and both believe in their own. So nobody writes the record before it has the volume to itself:
//
// 1. List the rows of the volume. A record, or another host's claim, is the answer. A claim of this host's own is gone
//    on with, and its LUKS UUID: it was cut short.
// 2. Add a row whose name nobody else uses: the claim, with its LUKS UUID in the name.
// 3. List again. Of two hosts the one whose row came second sees the other's row. Alone: go on. Otherwise the claim
//    whose name comes first waits for the others to withdraw, for a short time; each other deletes its row and answers
//    the one that stands.
// 4. Add the record, and list once more: it must be ours, and our claim must stand still. Then the claim is deleted.
//
// A claim stands until its host has the record or gives up before it has tried to write it. Whatever is cut short
// leaves rows that forbid; the host's next attempt goes on with them, and forgetting the volume deletes them.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "agent/keys/key_manager.h"
#include "agent/keys/openstack/barbican_call.h"

namespace volcrypt {

// See KeyManager. Two volumes whose ids differ in case only cannot be told apart by Barbican: KEY_IN_USE to the second.
// After an error it is not known whether the claim stands.
absl::StatusOr<FirstUseRecord> ClaimFirstUse(BarbicanCall& call, const std::string& key_id,
                                             const FirstUseRecord& claim);

}  // namespace volcrypt
