#pragma once

#include <array>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace volcrypt::ctl {

// What scripts branch on; the numbers are part of the interface.
enum class ExitStatus : int {
  kDone = 0,
  kUsage = 1,       // wrong usage or argument, or not confirmed
  kKey = 2,         // key not found, denied, rejected, unfit
  kNotFound = 4,    // device or attachment
  kInUse = 5,       // in use, or attached differently
  kRefused = 6,     // refused to protect data: an operator has to look before anything else helps
  kRetry = 7,       // something is away or busy
  kTimedOut = 8,    // or interrupted: the work may still finish
  kNotAllowed = 9,  // the caller
  kInternal = 70,
};

// Reasons that volcryptctl itself gives, in the same place as the agent's.
inline constexpr absl::string_view kUsageReason = "USAGE";
inline constexpr absl::string_view kNotConfirmedReason = "NOT_CONFIRMED";
inline constexpr absl::string_view kUnreachableReason = "AGENT_UNREACHABLE";
inline constexpr absl::string_view kHostFaultReason = "HOST_FAULT";

inline constexpr absl::string_view kDomainNotFoundReason = "DOMAIN_NOT_FOUND";
inline constexpr absl::string_view kDomainRefusedReason = "DOMAIN_REFUSED";
inline constexpr absl::string_view kDiskNotReleasedReason = "DISK_NOT_RELEASED";

struct ReasonExit {
  absl::string_view reason;
  ExitStatus status;
};

inline constexpr std::array kReasonExits = {
    ReasonExit{kUsageReason, ExitStatus::kUsage},
    ReasonExit{kNotConfirmedReason, ExitStatus::kUsage},
    ReasonExit{kDomainNotFoundReason, ExitStatus::kNotFound},
    ReasonExit{kDiskNotReleasedReason, ExitStatus::kInUse},
    ReasonExit{kDomainRefusedReason, ExitStatus::kRefused},
    ReasonExit{kHostFaultReason, ExitStatus::kRefused},
    ReasonExit{"INVALID_FIELD", ExitStatus::kUsage},
    ReasonExit{"INVALID_VOLUME_ID", ExitStatus::kUsage},
    ReasonExit{"INVALID_KEY_ID", ExitStatus::kUsage},
    ReasonExit{"DEVICE_NOT_ALLOWED", ExitStatus::kUsage},
    ReasonExit{"UNSUPPORTED_ENCRYPTION", ExitStatus::kUsage},
    ReasonExit{"UNKNOWN_KEY_MANAGER", ExitStatus::kUsage},
    ReasonExit{"KEY_REQUIRED", ExitStatus::kUsage},
    ReasonExit{"KEY_NOT_FOUND", ExitStatus::kKey},
    ReasonExit{"KEY_ACCESS_DENIED", ExitStatus::kKey},
    ReasonExit{"KEY_REJECTED", ExitStatus::kKey},
    ReasonExit{"KEY_UNFIT", ExitStatus::kKey},
    ReasonExit{"DEVICE_NOT_FOUND", ExitStatus::kNotFound},
    ReasonExit{"NOT_ATTACHED", ExitStatus::kNotFound},
    ReasonExit{"ATTACHED_DIFFERENTLY", ExitStatus::kInUse},
    ReasonExit{"DEVICE_IN_USE", ExitStatus::kInUse},
    ReasonExit{"MAPPING_IN_USE", ExitStatus::kInUse},
    ReasonExit{"KEY_IN_USE", ExitStatus::kInUse},
    ReasonExit{"VOLUME_NOT_FORMATTED", ExitStatus::kRefused},
    ReasonExit{"DEVICE_NOT_BLANK", ExitStatus::kRefused},
    ReasonExit{"HEADER_DAMAGED", ExitStatus::kRefused},
    ReasonExit{"VOLUME_HEADER_LOST", ExitStatus::kRefused},
    ReasonExit{"FORMAT_INCOMPLETE", ExitStatus::kRefused},
    ReasonExit{"VOLUME_ERASED", ExitStatus::kRefused},
    ReasonExit{"HEADER_MISMATCH", ExitStatus::kRefused},
    ReasonExit{"HEADER_REFUSED", ExitStatus::kRefused},
    ReasonExit{"DEVICE_TOO_SMALL", ExitStatus::kRefused},
    ReasonExit{"DEVICE_READ_ONLY", ExitStatus::kRefused},
    // Without records no volume is formatted, so this one protects data as well. A kernel that lacks something is no
    // fault of ours (70) and a retry does not help (7): it too waits for an operator.
    ReasonExit{"STATE_NOT_WRITABLE", ExitStatus::kRefused},
    ReasonExit{"KERNEL_UNSUPPORTED", ExitStatus::kRefused},
    ReasonExit{kUnreachableReason, ExitStatus::kRetry},
    ReasonExit{"KEY_MANAGER_UNAVAILABLE", ExitStatus::kRetry},
    ReasonExit{"LIBVIRT_UNAVAILABLE", ExitStatus::kRetry},
    ReasonExit{"HELPER_UNAVAILABLE", ExitStatus::kRetry},
    ReasonExit{"DRAINING", ExitStatus::kRetry},
    ReasonExit{"DEVICE_IO_ERROR", ExitStatus::kRetry},
    ReasonExit{"OPERATION_IN_PROGRESS", ExitStatus::kRetry},
    ReasonExit{"TOO_MANY_OPERATIONS", ExitStatus::kRetry},
    ReasonExit{"OUT_OF_MEMORY", ExitStatus::kRetry},
    ReasonExit{"DEVICE_TIMED_OUT", ExitStatus::kTimedOut},
    ReasonExit{"KEY_MANAGER_TIMED_OUT", ExitStatus::kTimedOut},
    ReasonExit{"CALLER_TOKEN_REJECTED", ExitStatus::kNotAllowed},
    ReasonExit{"CALLER_UNKNOWN", ExitStatus::kNotAllowed},
    ReasonExit{"CALLER_NOT_ALLOWED", ExitStatus::kNotAllowed},
    ReasonExit{"WORKER_FAILED", ExitStatus::kInternal},
};

// By the reason; by the code where there is none or one that this version does not know.
ExitStatus ExitStatusOf(const absl::Status& status);

}  // namespace volcrypt::ctl
