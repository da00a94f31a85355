#include "encryptors/reason.h"

#include <algorithm>
#include <array>
#include <vector>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "encryptors/valid_utf8.h"
#include "helper.pb.h"

namespace volcrypt {
namespace {

constexpr absl::string_view kPayloadUrl = "volcrypt/error";

struct ReasonRow {
  Reason reason;
  std::string_view name;
  absl::StatusCode code;
};

using Code = absl::StatusCode;

constexpr std::array<ReasonRow, kReasonCount> kReasons = {{
    {Reason::kInvalidField, "INVALID_FIELD", Code::kInvalidArgument},
    {Reason::kInvalidVolumeId, "INVALID_VOLUME_ID", Code::kInvalidArgument},
    {Reason::kInvalidKeyId, "INVALID_KEY_ID", Code::kInvalidArgument},
    {Reason::kDeviceNotAllowed, "DEVICE_NOT_ALLOWED", Code::kInvalidArgument},
    {Reason::kUnsupportedEncryption, "UNSUPPORTED_ENCRYPTION", Code::kInvalidArgument},
    {Reason::kUnknownKeyManager, "UNKNOWN_KEY_MANAGER", Code::kInvalidArgument},
    {Reason::kKeyRequired, "KEY_REQUIRED", Code::kInvalidArgument},
    {Reason::kDeviceNotFound, "DEVICE_NOT_FOUND", Code::kNotFound},
    {Reason::kNotAttached, "NOT_ATTACHED", Code::kNotFound},
    {Reason::kAttachedDifferently, "ATTACHED_DIFFERENTLY", Code::kAlreadyExists},
    {Reason::kDeviceInUse, "DEVICE_IN_USE", Code::kFailedPrecondition},
    {Reason::kMappingInUse, "MAPPING_IN_USE", Code::kFailedPrecondition},
    {Reason::kVolumeNotFormatted, "VOLUME_NOT_FORMATTED", Code::kFailedPrecondition},
    {Reason::kDeviceNotBlank, "DEVICE_NOT_BLANK", Code::kFailedPrecondition},
    {Reason::kHeaderDamaged, "HEADER_DAMAGED", Code::kFailedPrecondition},
    {Reason::kVolumeHeaderLost, "VOLUME_HEADER_LOST", Code::kFailedPrecondition},
    {Reason::kFormatIncomplete, "FORMAT_INCOMPLETE", Code::kFailedPrecondition},
    {Reason::kVolumeErased, "VOLUME_ERASED", Code::kFailedPrecondition},
    {Reason::kHeaderMismatch, "HEADER_MISMATCH", Code::kFailedPrecondition},
    {Reason::kHeaderRefused, "HEADER_REFUSED", Code::kFailedPrecondition},
    {Reason::kDeviceTooSmall, "DEVICE_TOO_SMALL", Code::kFailedPrecondition},
    {Reason::kDeviceReadOnly, "DEVICE_READ_ONLY", Code::kFailedPrecondition},
    {Reason::kStateNotWritable, "STATE_NOT_WRITABLE", Code::kFailedPrecondition},
    {Reason::kKernelUnsupported, "KERNEL_UNSUPPORTED", Code::kFailedPrecondition},
    {Reason::kKeyNotFound, "KEY_NOT_FOUND", Code::kFailedPrecondition},
    {Reason::kKeyAccessDenied, "KEY_ACCESS_DENIED", Code::kFailedPrecondition},
    {Reason::kKeyRejected, "KEY_REJECTED", Code::kFailedPrecondition},
    {Reason::kKeyUnfit, "KEY_UNFIT", Code::kFailedPrecondition},
    {Reason::kKeyInUse, "KEY_IN_USE", Code::kFailedPrecondition},
    {Reason::kKeyManagerUnavailable, "KEY_MANAGER_UNAVAILABLE", Code::kUnavailable},
    {Reason::kLibvirtUnavailable, "LIBVIRT_UNAVAILABLE", Code::kUnavailable},
    {Reason::kHelperUnavailable, "HELPER_UNAVAILABLE", Code::kUnavailable},
    {Reason::kDraining, "DRAINING", Code::kUnavailable},
    {Reason::kDeviceIoError, "DEVICE_IO_ERROR", Code::kUnavailable},
    {Reason::kOperationInProgress, "OPERATION_IN_PROGRESS", Code::kAborted},
    {Reason::kTooManyOperations, "TOO_MANY_OPERATIONS", Code::kResourceExhausted},
    {Reason::kOutOfMemory, "OUT_OF_MEMORY", Code::kResourceExhausted},
    {Reason::kDeviceTimedOut, "DEVICE_TIMED_OUT", Code::kDeadlineExceeded},
    {Reason::kKeyManagerTimedOut, "KEY_MANAGER_TIMED_OUT", Code::kDeadlineExceeded},
    {Reason::kCallerTokenRejected, "CALLER_TOKEN_REJECTED", Code::kUnauthenticated},
    {Reason::kCallerUnknown, "CALLER_UNKNOWN", Code::kUnauthenticated},
    {Reason::kCallerNotAllowed, "CALLER_NOT_ALLOWED", Code::kPermissionDenied},
    {Reason::kWorkerFailed, "WORKER_FAILED", Code::kInternal},
}};

// The table is indexed by the enumeration: a reason added without its row, or out of order, does not compile.
constexpr bool TableFollowsEnumeration() {
  for (int i = 0; i < kReasonCount; ++i) {
    const ReasonRow& row = kReasons[static_cast<size_t>(i)];
    if (row.reason != static_cast<Reason>(i) || row.name.empty() || row.code == Code::kOk) return false;
  }
  return true;
}
static_assert(TableFollowsEnumeration());

const ReasonRow& RowOf(Reason reason) { return kReasons[static_cast<size_t>(reason)]; }

// At most `limit` bytes of valid UTF-8: an error must keep its reason whatever a device's label has in its metadata.
std::string CutTo(std::string_view text, size_t limit) {
  std::string valid = ValidUtf8(text);
  if (valid.size() <= limit) return valid;
  while (limit > 0 && (static_cast<unsigned char>(valid[limit]) & 0xC0) == 0x80) --limit;
  valid.resize(limit);
  return valid;
}

std::optional<helper::Error> PayloadOf(const absl::Status& status) {
  const absl::optional<absl::Cord> payload = status.GetPayload(kPayloadUrl);
  helper::Error error;
  if (!payload || !error.ParseFromString(std::string(*payload))) return std::nullopt;
  return error;
}

}  // namespace

std::string_view ReasonName(Reason reason) { return RowOf(reason).name; }

absl::StatusCode ReasonCode(Reason reason) { return RowOf(reason).code; }

std::optional<Reason> ParseReason(std::string_view name) {
  for (const ReasonRow& row : kReasons) {
    if (row.name == name) return row.reason;
  }
  return std::nullopt;
}

// NOLINTNEXTLINE(performance-unnecessary-value-param): the values are moved from, which the check does not see
absl::Status MakeError(Reason reason, std::string_view message, ErrorMetadata metadata) {
  helper::Error payload;
  payload.set_reason(std::string(ReasonName(reason)));
  // The shortest first: what a device's label or a long path takes must not be a mark that others decide by.
  std::vector<ErrorMetadata::value_type*> by_size;
  for (auto& entry : metadata) by_size.push_back(&entry);
  std::ranges::stable_sort(by_size, {}, [](const auto* entry) { return entry->first.size() + entry->second.size(); });
  size_t room = kMaxErrorMetadataBytes;
  for (ErrorMetadata::value_type* const entry : by_size) {
    auto& [key, value] = *entry;
    if (key.size() >= room) break;
    value = CutTo(value, room - key.size());
    room -= key.size() + value.size();
    (*payload.mutable_metadata())[key] = std::move(value);
  }
  absl::Status status(ReasonCode(reason), CutTo(message, kMaxErrorMessageBytes));
  status.SetPayload(kPayloadUrl, absl::Cord(payload.SerializeAsString()));
  return status;
}

std::optional<Reason> ReasonOf(const absl::Status& status) {
  const std::optional<helper::Error> payload = PayloadOf(status);
  return payload ? ParseReason(payload->reason()) : std::nullopt;
}

ErrorMetadata MetadataOf(const absl::Status& status) {
  const std::optional<helper::Error> payload = PayloadOf(status);
  if (!payload) return {};
  return {payload->metadata().begin(), payload->metadata().end()};
}

bool HasReason(const absl::Status& status, Reason reason) { return ReasonOf(status) == reason; }

absl::Status WithMetadata(const absl::Status& error, std::string_view name, const std::string& value) {
  if (error.ok()) return error;
  ErrorMetadata metadata = MetadataOf(error);
  metadata[std::string(name)] = value;
  return MakeError(ReasonOf(error).value_or(Reason::kWorkerFailed), std::string(error.message()), std::move(metadata));
}

absl::Status WithRollbackError(const absl::Status& first, const absl::Status& rollback) {
  if (rollback.ok()) return first;
  const std::optional<Reason> reason = ReasonOf(first);
  return MakeError(reason.value_or(Reason::kWorkerFailed),
                   absl::StrCat(first.message(), "; undoing it failed too: ", rollback.message()), MetadataOf(first));
}

}  // namespace volcrypt
