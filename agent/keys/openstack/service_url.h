#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace volcrypt {

// The URL of a service without slash at its end, to which paths are appended. http or https, a host, no user, query or
// fragment; INVALID_FIELD names `field`.
absl::StatusOr<std::string> ServiceUrl(absl::string_view url, const std::string& field);

// Barbican's URL with its version: catalogs and configurations leave /v1 out, or do not.
std::string WithVersion1(const std::string& url);

// After the last slash: how ids are taken from references, whose hosts are not believed.
std::string LastSegment(absl::string_view reference);

}  // namespace volcrypt
