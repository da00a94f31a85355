#pragma once

#include <cstdint>
#include <span>

namespace volcrypt {

// From the kernel's generator straight into `bytes`: nothing of a key stays behind in the state of a generator of ours.
void FillRandom(std::span<uint8_t> bytes);

}  // namespace volcrypt
