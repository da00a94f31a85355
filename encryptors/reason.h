// Why an operation failed, in the words that callers program against.
//
// An error of volcrypt is an absl::Status whose code follows from its reason (one reason, one code) and which carries
// the reason and every variable part of its message as payload. Library code makes such errors and never logs.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace volcrypt {

enum class Reason {
  // The caller fixes the request.
  kInvalidField,
  kInvalidVolumeId,
  kInvalidKeyId,
  kDeviceNotAllowed,
  kUnsupportedEncryption,
  kUnknownKeyManager,
  kKeyRequired,
  // The state of attachments and devices.
  kDeviceNotFound,
  kNotAttached,
  kAttachedDifferently,
  kDeviceInUse,
  kMappingInUse,
  // Refusals that protect data: an operator looks.
  kVolumeNotFormatted,
  kDeviceNotBlank,
  kHeaderDamaged,
  kVolumeHeaderLost,
  kFormatIncomplete,
  kVolumeErased,
  kHeaderMismatch,
  kHeaderRefused,
  kDeviceTooSmall,
  kDeviceReadOnly,
  kStateNotWritable,
  kKernelUnsupported,
  // Keys.
  kKeyNotFound,
  kKeyAccessDenied,
  kKeyRejected,
  kKeyUnfit,
  kKeyInUse,
  // Retrying may help.
  kKeyManagerUnavailable,
  kLibvirtUnavailable,
  kHelperUnavailable,
  kDraining,
  kDeviceIoError,
  kOperationInProgress,
  kTooManyOperations,
  kOutOfMemory,
  kDeviceTimedOut,
  kKeyManagerTimedOut,
  // The caller's identity.
  kCallerTokenRejected,
  kCallerUnknown,
  kCallerNotAllowed,
  // A fault of ours.
  kWorkerFailed,
};

inline constexpr int kReasonCount = static_cast<int>(Reason::kWorkerFailed) + 1;

// DEVICE_NOT_BLANK and the like: the text that stands in google.rpc.ErrorInfo.
std::string_view ReasonName(Reason reason);
std::optional<Reason> ParseReason(std::string_view name);
absl::StatusCode ReasonCode(Reason reason);

using ErrorMetadata = std::map<std::string, std::string>;

// Longest message and, together, longest metadata that an error keeps; gRPC drops the details of larger ones, code and
// reason included. Longer texts are cut.
inline constexpr size_t kMaxErrorMessageBytes = 1024;
inline constexpr size_t kMaxErrorMetadataBytes = 2048;

// The message is for people and says what was found where and what to do; metadata repeats its variable parts.
absl::Status MakeError(Reason reason, std::string_view message, ErrorMetadata metadata = {});

// Nothing for an OK status or one that MakeError did not make.
std::optional<Reason> ReasonOf(const absl::Status& status);
ErrorMetadata MetadataOf(const absl::Status& status);
bool HasReason(const absl::Status& status, Reason reason);

// The error, which stays what it is, with one thing more in its metadata. OK stays OK.
absl::Status WithMetadata(const absl::Status& error, std::string_view name, const std::string& value);

// The first error wins; what failed while undoing is added to its message.
absl::Status WithRollbackError(const absl::Status& first, const absl::Status& rollback);

}  // namespace volcrypt
