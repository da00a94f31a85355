#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace volcrypt::ctl {

enum class Result : uint8_t { kOk, kWarning, kFault };

// What a check came to, for people. Anything but OK has one sentence that says how to mend it.
struct Finding {
  Result result = Result::kOk;
  std::string found;
  std::string remedy;
  std::string check;  // its name, put in by RunChecks()
};
using Findings = std::vector<Finding>;

inline Finding Fine(std::string found) { return {.result = Result::kOk, .found = std::move(found)}; }
inline Finding Warning(std::string found, std::string remedy) {
  return {.result = Result::kWarning, .found = std::move(found), .remedy = std::move(remedy)};
}
inline Finding Fault(std::string found, std::string remedy) {
  return {.result = Result::kFault, .found = std::move(found), .remedy = std::move(remedy)};
}
// Whoever asks may not look there.
inline Finding Hidden(const std::string& what) {
  return Warning("could not look at " + what + ": permission denied", "run volcryptctl doctor as root");
}

}  // namespace volcrypt::ctl
