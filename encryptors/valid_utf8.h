#pragma once

#include <string>
#include <string_view>

namespace volcrypt {

// The text with '?' for every byte that is not part of valid UTF-8. Paths, labels and identifiers found on devices can
// hold any bytes, and protobuf drops a whole message for one that is not UTF-8.
std::string ValidUtf8(std::string_view text);

}  // namespace volcrypt
