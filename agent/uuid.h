#pragma once

#include <string>

namespace volcrypt {

// A fresh random UUID (RFC 4122, version 4) from the kernel's generator, in lower case.
std::string RandomUuid();

}  // namespace volcrypt
