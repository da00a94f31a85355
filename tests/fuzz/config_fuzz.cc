// The readers of the configuration and of volumes.d: whatever the text, they answer, and every error names the file.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "agent/boot_volumes.h"
#include "agent/config_result.h"

namespace {

void Check(const std::vector<volcrypt::ConfigError>& errors) {
  for (const volcrypt::ConfigError& error : errors) {
    // Errors go to a terminal and to the log: plain text only, whatever the file holds. What toml++ says of text that
    // is not TOML is its own.
    if (error.what.empty() || error.file.empty()) std::abort();
    for (const char c : error.key) {
      if (c < ' ' || c > '~') std::abort();
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  Check(volcrypt::ParseConfig(text, "fuzz.toml").errors);
  Check(volcrypt::ParseBootVolume(text, "fuzz.toml").errors);
  return 0;
}
