#include "agent/helper_probe.h"

#include "encryptors/reason.h"

namespace volcrypt {
namespace {

// Nobody's volume, and if it were somebody's, the answer would do as well.
constexpr char kProbedVolume[] = "volcrypt.probe";

}  // namespace

absl::Status ProbeHelper(Encryptor& helper, absl::Time deadline) {
  absl::Status answer = helper.Query(kProbedVolume, deadline).status();
  const bool silent = HasReason(answer, Reason::kHelperUnavailable) || HasReason(answer, Reason::kDeviceTimedOut) ||
                      HasReason(answer, Reason::kWorkerFailed);
  return silent ? answer : absl::OkStatus();
}

}  // namespace volcrypt
