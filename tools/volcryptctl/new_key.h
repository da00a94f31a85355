// The key of attach --new-key, which must neither be left behind unused nor be deleted while a volume may need it.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tools/volcryptctl/session.h"
#include "volcrypt/v1/volume_encryptor.pb.h"

namespace volcrypt::ctl {

// Makes the key and names it on stderr before anything is done with it, so that it is never lost.
absl::StatusOr<v1::KeyReference> CreateKeyFor(Session& session, const std::string& volume_id,
                                              const std::string& key_manager);

// After a failed attach: deletes the key where the agent certainly refused, keeps it where the volume may have been
// formatted with it. The result is the error with what became of the key.
absl::Status SettleNewKey(Session& session, const v1::KeyReference& key, const absl::Status& attach_error);

// After an attach that found the volume attached already. Says on stderr what became of the key.
void DropUnneededKey(Session& session, const v1::KeyReference& key);

}  // namespace volcrypt::ctl
