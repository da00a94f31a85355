#pragma once

#include <string>
#include <string_view>

namespace volcrypt {

// A fresh random UUID (RFC 4122, version 4) from the kernel's generator, in lower case.
std::string RandomUuid();

// 36 characters of lower-case hexadecimal digits and hyphens, of any version.
bool IsCanonicalUuid(std::string_view text);

}  // namespace volcrypt
