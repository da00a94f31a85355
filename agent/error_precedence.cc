#include "agent/error_precedence.h"

namespace volcrypt {

bool ComesBeforeDevice(const absl::Status& key_error) {
  return absl::IsInvalidArgument(key_error) || absl::IsUnauthenticated(key_error) ||
         absl::IsPermissionDenied(key_error);
}

}  // namespace volcrypt
