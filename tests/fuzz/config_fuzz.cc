// The configuration's reader: whatever the text, it answers, and every error names the file.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "agent/config.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const volcrypt::ConfigResult result =
      volcrypt::ParseConfig(std::string_view(reinterpret_cast<const char*>(data), size), "fuzz.toml");
  for (const volcrypt::ConfigError& error : result.errors) {
    // Errors go to a terminal and to the log: plain text only, whatever the file holds. What toml++ says of text that
    // is not TOML is its own.
    if (error.what.empty() || error.file.empty()) std::abort();
    for (const char c : error.key) {
      if (c < ' ' || c > '~') std::abort();
    }
  }
  return 0;
}
