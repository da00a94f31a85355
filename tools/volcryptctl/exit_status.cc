#include "tools/volcryptctl/exit_status.h"

#include <algorithm>

#include "tools/volcryptctl/call_error.h"

namespace volcrypt::ctl {
namespace {

ExitStatus ExitStatusOfCode(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kOk:
      return ExitStatus::kDone;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kOutOfRange:
      return ExitStatus::kUsage;
    case absl::StatusCode::kNotFound:
      return ExitStatus::kNotFound;
    case absl::StatusCode::kAlreadyExists:
      return ExitStatus::kInUse;
    case absl::StatusCode::kFailedPrecondition:
      return ExitStatus::kRefused;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kResourceExhausted:
      return ExitStatus::kRetry;
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kCancelled:
      return ExitStatus::kTimedOut;
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnauthenticated:
      return ExitStatus::kNotAllowed;
    default:
      return ExitStatus::kInternal;
  }
}

}  // namespace

ExitStatus ExitStatusOf(const absl::Status& status) {
  if (status.ok()) return ExitStatus::kDone;
  const auto* const row = std::ranges::find(kReasonExits, ErrorInfoOf(status).reason(), &ReasonExit::reason);
  return row != kReasonExits.end() ? row->status : ExitStatusOfCode(status.code());
}

}  // namespace volcrypt::ctl
