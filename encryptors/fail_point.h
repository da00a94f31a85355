#pragma once

#include <string>

namespace volcrypt {

// The places of a first use at which a worker of a test build can be told to die: every state that a crash may leave.
// The last one comes first, between the two looks of the proof that the device is blank.
enum class FailPoint : int {
  kBlankProven = 1,
  kIntentWritten,
  kFormatBegins,
  kFormatted,
  kKeyslotAdded,
  kTokenSet,
  kOpenVerified,
  kKnownRecorded,
  kIntentRemoved,
  kActivating,
  kActivated,
  kLookedOnce,
};

#ifdef VOLCRYPT_FAILPOINTS
// Kills this process when DIR/failpoint holds the point's number, or stops it until SIGCONT when "stop" comes after the
// number. The file goes first, so that it happens once.
void MayFail(const std::string& state_dir, FailPoint point);
#else
inline void MayFail(const std::string&, FailPoint) {}
#endif

}  // namespace volcrypt
