#pragma once

#include <string>

#include "absl/status/status.h"
#include "tools/volcryptctl/session.h"
#include "volcrypt/v1/volume_encryptor.grpc.pb.h"

namespace volcrypt::ctl {

// What became of the volume, for people.
std::string DetachWord(const v1::DetachVolumeResponse& response);

// Detaches every volume, with the options of `request`, after asking. One that fails does not stop the others; the
// first error is the result then.
absl::Status DetachAll(const v1::DetachVolumeRequest& request, Session& session);

}  // namespace volcrypt::ctl
