#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "tools/volcryptctl/session.h"

namespace volcrypt::ctl {

// OK when --yes was given or somebody can be asked: to be called before the first call to the agent.
absl::Status CheckCanConfirm(const Session& session);

// Asks unless --yes was given; anything but a clear yes is an error. The question ends with a question mark.
absl::Status Confirm(Session& session, absl::string_view question);

}  // namespace volcrypt::ctl
