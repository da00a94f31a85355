#include "tools/volcryptctl/call_error.h"

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "tools/volcryptctl/exit_status.h"

namespace volcrypt::ctl {
namespace {

constexpr absl::string_view kErrorInfoUrl = "type.googleapis.com/google.rpc.ErrorInfo";
constexpr absl::string_view kAgentDomain = "volcrypt";
constexpr absl::string_view kOwnDomain = "volcryptctl";

void SetErrorInfo(absl::Status& status, const google::rpc::ErrorInfo& info) {
  status.SetPayload(kErrorInfoUrl, absl::Cord(info.SerializeAsString()));
}

}  // namespace

absl::Status FromRpc(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  absl::Status error(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
  google::rpc::Status details;
  if (!details.ParseFromString(status.error_details())) return error;
  for (const google::protobuf::Any& detail : details.details()) {
    google::rpc::ErrorInfo info;
    if (detail.UnpackTo(&info) && info.domain() == kAgentDomain) {
      SetErrorInfo(error, info);
      break;
    }
  }
  return error;
}

google::rpc::ErrorInfo ErrorInfoOf(const absl::Status& status) {
  google::rpc::ErrorInfo info;
  const absl::optional<absl::Cord> payload = status.GetPayload(kErrorInfoUrl);
  if (!payload || !info.ParseFromString(std::string(*payload))) info.Clear();
  return info;
}

std::string ReasonOrCode(const absl::Status& status) {
  const google::rpc::ErrorInfo info = ErrorInfoOf(status);
  return info.reason().empty() ? absl::StatusCodeToString(status.code()) : info.reason();
}

absl::Status OwnError(absl::StatusCode code, absl::string_view reason, absl::string_view message) {
  absl::Status status(code, message);
  google::rpc::ErrorInfo info;
  info.set_reason(std::string(reason));
  info.set_domain(std::string(kOwnDomain));
  SetErrorInfo(status, info);
  return status;
}

absl::Status NotConfirmedError(absl::string_view message) {
  return OwnError(absl::StatusCode::kInvalidArgument, kNotConfirmedReason, message);
}

absl::Status UsageError(absl::string_view message) {
  return OwnError(absl::StatusCode::kInvalidArgument, kUsageReason, message);
}

absl::Status WithNote(const absl::Status& status, absl::string_view note) {
  absl::Status noted(status.code(), absl::StrCat(status.message(), "; ", note));
  status.ForEachPayload([&noted](absl::string_view url, const absl::Cord& payload) { noted.SetPayload(url, payload); });
  return noted;
}

absl::Status WithMetadata(const absl::Status& status, absl::string_view name, absl::string_view value) {
  absl::Status annotated = status;
  google::rpc::ErrorInfo info = ErrorInfoOf(status);
  (*info.mutable_metadata())[std::string(name)] = std::string(value);
  SetErrorInfo(annotated, info);
  return annotated;
}

}  // namespace volcrypt::ctl
