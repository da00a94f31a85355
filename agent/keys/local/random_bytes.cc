#include "agent/keys/local/random_bytes.h"

#include <sys/random.h>

#include <cerrno>
#include <cstdlib>

namespace volcrypt {

void FillRandom(std::span<uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t got = getrandom(bytes.data(), bytes.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    // Going on without would make keys that can be guessed.
    if (got <= 0) std::abort();
    bytes = bytes.subspan(static_cast<size_t>(got));
  }
}

}  // namespace volcrypt
