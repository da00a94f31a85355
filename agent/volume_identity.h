#pragma once

#include <string>

#include "absl/status/status.h"
#include "agent/attach_sequence.h"
#include "agent/attachment.h"
#include "agent/log.h"
#include "encryptors/encryptor.h"

namespace volcrypt {

// By what a volume and its device can be told from others in log and audit, whatever they were called.
LogFields IdentityOf(const Mapping& mapping);
LogFields IdentityOf(const DetachAnswer& answer);
LogFields IdentityOf(const FormatPlan& plan);
// Adds what an attach that failed had opened, if it says so and the fields do not.
void AddIdentityIn(const absl::Status& error, LogFields& fields);

}  // namespace volcrypt
