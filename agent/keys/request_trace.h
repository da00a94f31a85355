#pragma once

#include <string>

namespace volcrypt {

// What ties the logs of several services together: sent with every request that is made for a call, and written beside
// it. Both are plain text that fits into a header of HTTP.
struct RequestTrace {
  std::string request_id;   // as OpenStack writes them: req-UUID
  std::string traceparent;  // W3C Trace Context; empty: none
};

}  // namespace volcrypt
