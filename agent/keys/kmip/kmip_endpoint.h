#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace volcrypt {

// Where a KMIP server listens.
struct KmipEndpoint {
  std::string host;  // a name, or an address without brackets
  uint16_t port = 0;
};

// "HOST:PORT" or "[IPV6]:PORT"; without a port, the one that IANA gave to KMIP: 5696. INVALID_FIELD.
absl::StatusOr<KmipEndpoint> ParseKmipEndpoint(const std::string& text);

// As it is parsed.
std::string ToString(const KmipEndpoint& endpoint);

}  // namespace volcrypt
