// Errors that come before there is an answer to judge, in words for operators.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "agent/keys/openstack/http_client.h"

namespace volcrypt {

// KEY_MANAGER_TIMED_OUT, OUT_OF_MEMORY or KEY_MANAGER_UNAVAILABLE. `server` is Keystone or Barbican; what was wanted of
// it, "read key X", comes into the message.
absl::Status TransportError(const HttpAnswer& answer, absl::string_view server, absl::string_view url,
                            absl::string_view what);

// What to do about it.
std::string RemedyOf(HttpFailure failure, absl::string_view server);

// A server's words as one short line of plain text: no control characters, no markup.
std::string PlainLine(absl::string_view text);

}  // namespace volcrypt
