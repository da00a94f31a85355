#pragma once

#include <string_view>

namespace volcrypt {

// The journal's MESSAGE_ID (systemd.journal-fields(7)) of operations that ended for this reason (encryptors/reason.h),
// under which systemd/volcrypt.catalog says what to do. Empty for reasons that are only the caller's to mend.
std::string_view MessageIdOf(std::string_view reason);

}  // namespace volcrypt
