#pragma once

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "encryptors/reason.h"

namespace volcrypt {

// What a server sent is not KMIP, or not an answer to what was asked. `what` repeats nothing of what was sent.
inline absl::Status MalformedAnswer(absl::string_view what) {
  return MakeError(Reason::kKeyManagerUnavailable, absl::StrCat("the KMIP server's answer cannot be read: ", what));
}

}  // namespace volcrypt
