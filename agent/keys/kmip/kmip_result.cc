#include "agent/keys/kmip/kmip_result.h"

#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "encryptors/reason.h"

namespace volcrypt {
namespace {

struct OperationRow {
  KmipOperation operation;
  absl::string_view name;
};

constexpr std::array<OperationRow, 10> kOperations = {{
    {KmipOperation::kCreate, "Create"},
    {KmipOperation::kRegister, "Register"},
    {KmipOperation::kLocate, "Locate"},
    {KmipOperation::kGet, "Get"},
    {KmipOperation::kGetAttributes, "Get Attributes"},
    {KmipOperation::kActivate, "Activate"},
    {KmipOperation::kRevoke, "Revoke"},
    {KmipOperation::kDestroy, "Destroy"},
    {KmipOperation::kQuery, "Query"},
    {KmipOperation::kDiscoverVersions, "Discover Versions"},
}};

struct ReasonRow {
  KmipResultReason code;
  absl::string_view name;
  Reason reason;
  absl::string_view advice;
};

using Code = KmipResultReason;

constexpr absl::string_view kAskServer = "see the server's log";
constexpr absl::string_view kDifferentKey = "use a key that the server gives raw";
constexpr absl::string_view kServerLimit = "the server cannot do what volcrypt needs";

constexpr std::array<ReasonRow, 22> kReasons = {{
    {Code::kItemNotFound, "Item Not Found", Reason::kKeyNotFound, "check the key id"},
    {Code::kResponseTooLarge, "Response Too Large", Reason::kKeyUnfit, kAskServer},
    {Code::kAuthenticationNotSuccessful, "Authentication Not Successful", Reason::kKeyAccessDenied,
     "check username, password_file and client_certificate"},
    {Code::kInvalidMessage, "Invalid Message", Reason::kKeyManagerUnavailable, kAskServer},
    {Code::kOperationNotSupported, "Operation Not Supported", Reason::kKeyManagerUnavailable, kServerLimit},
    {Code::kMissingData, "Missing Data", Reason::kKeyUnfit, kAskServer},
    {Code::kInvalidField, "Invalid Field", Reason::kKeyUnfit, "the server may not take this length or name"},
    {Code::kFeatureNotSupported, "Feature Not Supported", Reason::kKeyManagerUnavailable, kServerLimit},
    {Code::kOperationCanceled, "Operation Canceled By Requester", Reason::kKeyManagerUnavailable, kAskServer},
    {Code::kCryptographicFailure, "Cryptographic Failure", Reason::kKeyManagerUnavailable, kAskServer},
    {Code::kIllegalOperation, "Illegal Operation", Reason::kKeyUnfit, "check the key's state and usage"},
    {Code::kPermissionDenied, "Permission Denied", Reason::kKeyAccessDenied,
     "the key may be another client's, or its state may forbid this; check the server's policy"},
    {Code::kObjectArchived, "Object Archived", Reason::kKeyUnfit, "recover the key from the archive"},
    {Code::kIndexOutOfBounds, "Index Out of Bounds", Reason::kKeyManagerUnavailable, kAskServer},
    {Code::kNamespaceNotSupported, "Application Namespace Not Supported", Reason::kKeyManagerUnavailable, kServerLimit},
    {Code::kKeyFormatTypeNotSupported, "Key Format Type Not Supported", Reason::kKeyUnfit, kDifferentKey},
    {Code::kKeyCompressionTypeNotSupported, "Key Compression Type Not Supported", Reason::kKeyUnfit, kDifferentKey},
    {Code::kEncodingOptionError, "Encoding Option Error", Reason::kKeyUnfit, kDifferentKey},
    {Code::kKeyValueNotPresent, "Key Value Not Present", Reason::kKeyUnfit, kDifferentKey},
    {Code::kAttestationRequired, "Attestation Required", Reason::kKeyAccessDenied, kServerLimit},
    {Code::kAttestationFailed, "Attestation Failed", Reason::kKeyAccessDenied, kServerLimit},
    {Code::kGeneralFailure, "General Failure", Reason::kKeyManagerUnavailable, kAskServer},
}};

const ReasonRow* RowOf(KmipResultReason reason) {
  const auto row = std::ranges::find(kReasons, reason, &ReasonRow::code);
  return row == kReasons.end() ? nullptr : &*row;
}

}  // namespace

std::string NameOf(KmipOperation operation) {
  const auto row = std::ranges::find(kOperations, operation, &OperationRow::operation);
  if (row != kOperations.end()) return std::string(row->name);
  return absl::StrFormat("operation 0x%02X", static_cast<uint32_t>(operation));
}

std::string NameOf(KmipResultReason reason) {
  if (const ReasonRow* const row = RowOf(reason); row != nullptr) return std::string(row->name);
  return absl::StrFormat("reason 0x%02X", static_cast<uint32_t>(reason));
}

absl::Status RefusalOf(KmipOperation operation, KmipResultReason reason, const std::string& key_id) {
  const ReasonRow* const row = RowOf(reason);
  const std::string for_key = key_id.empty() ? "" : absl::StrCat(" of key ", key_id);
  ErrorMetadata metadata = {{"operation", NameOf(operation)}, {"result_reason", NameOf(reason)}};
  if (!key_id.empty()) metadata.emplace("key_id", key_id);
  const Reason why = row == nullptr ? Reason::kKeyManagerUnavailable : row->reason;
  if (why == Reason::kKeyAccessDenied) metadata.emplace("credential", "agent");
  return MakeError(why,
                   absl::StrCat("the KMIP server refused ", NameOf(operation), for_key, ": ", NameOf(reason), "; ",
                                row == nullptr ? kAskServer : row->advice),
                   metadata);
}

bool IsServersOwnTrouble(KmipResultReason reason) {
  return reason == Code::kGeneralFailure || reason == Code::kCryptographicFailure;
}

}  // namespace volcrypt
