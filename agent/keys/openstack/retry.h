#pragma once

#include <chrono>

#include "absl/functional/function_ref.h"
#include "agent/keys/openstack/call_deadline.h"
#include "agent/keys/openstack/http_client.h"

namespace volcrypt {

enum class Repeat : uint8_t {
  kSafe,    // asking twice is as good as asking once
  kUnsent,  // only what certainly did not reach the server is sent again
};

struct RetriedAnswer {
  HttpAnswer answer;
  int attempts = 0;
};

// Asks up to three times, with a growing pause, while the trouble may pass and time is left.
RetriedAnswer SendWithRetries(HttpClient& http, const HttpRequest& request, Repeat repeat,
                              const CallDeadline& deadline);

// 429 and 5xx: the server says that it cannot now.
bool IsServerTrouble(int status);

}  // namespace volcrypt
