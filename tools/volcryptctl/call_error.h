// Errors of calls as absl::Status with google.rpc.ErrorInfo as payload, which is how the agent sends them.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "google_rpc/error_details.pb.h"
#include "grpcpp/support/status.h"

namespace volcrypt::ctl {

// Finds the ErrorInfo in the status details; details that are not ours are left out.
absl::Status FromRpc(const grpc::Status& status);

// Empty when the status has none.
google::rpc::ErrorInfo ErrorInfoOf(const absl::Status& status);

// The reason, or the name of the code where there is none.
std::string ReasonOrCode(const absl::Status& status);

// With a reason of volcryptctl's own (exit_status.h).
absl::Status OwnError(absl::StatusCode code, absl::string_view reason, absl::string_view message);
absl::Status NotConfirmedError(absl::string_view message);
absl::Status UsageError(absl::string_view message);

// The same error, its message followed by "; " and the note.
absl::Status WithNote(const absl::Status& status, absl::string_view note);
absl::Status WithMetadata(const absl::Status& status, absl::string_view name, absl::string_view value);

}  // namespace volcrypt::ctl
