#pragma once

#include "absl/status/statusor.h"
#include "tools/volcryptctl/client.h"
#include "volcrypt/v1/volume_encryptor.pb.h"

namespace volcrypt::ctl {

// An agent whose list goes on beyond this is broken.
inline constexpr int kMaxListPages = 1000;

// All pages in one answer.
absl::StatusOr<v1::ListAttachmentsResponse> ListAllAttachments(Client& client);

}  // namespace volcrypt::ctl
