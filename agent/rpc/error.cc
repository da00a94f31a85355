#include "agent/rpc/error.h"

#include <string>

#include "encryptors/reason.h"
#include "encryptors/valid_utf8.h"
#include "google_rpc/error_details.pb.h"

namespace volcrypt {
namespace {

constexpr const char* kDomain = "volcrypt";

// google.rpc.Status repeats the message, as clients that know the convention expect. When that is too much, metadata
// goes first: the reason alone is what a caller needs to act.
std::string DetailsWithin(size_t limit, google::rpc::ErrorInfo info, grpc::StatusCode code,
                          const std::string& message) {
  google::rpc::Status details;
  details.set_code(code);
  details.set_message(message);
  details.add_details()->PackFrom(info);
  while (details.ByteSizeLong() > limit && !info.metadata().empty()) {
    info.mutable_metadata()->erase(info.mutable_metadata()->begin());
    details.mutable_details(0)->PackFrom(info);
  }
  return details.SerializeAsString();
}

}  // namespace

grpc::Status ToRpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const Reason reason = ReasonOf(status).value_or(Reason::kWorkerFailed);
  // The two libraries number the codes alike: both follow google.rpc.Code.
  const auto code = static_cast<grpc::StatusCode>(ReasonCode(reason));
  const std::string message = ValidUtf8(std::string(status.message().substr(0, kMaxErrorMessageBytes)));

  google::rpc::ErrorInfo info;
  info.set_reason(std::string(ReasonName(reason)));
  info.set_domain(kDomain);
  for (const auto& [key, value] : MetadataOf(status)) (*info.mutable_metadata())[key] = ValidUtf8(value);
  return {code, message, DetailsWithin(kMaxRpcErrorBytes - 1 - message.size(), std::move(info), code, message)};
}

}  // namespace volcrypt
