#include "tools/volcryptctl/client.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "tools/volcryptctl/call_error.h"
#include "tools/volcryptctl/waiting_note.h"

namespace volcrypt::ctl {

Client::Client(Options options, const Environment& environment, std::ostream& err)
    : options_(std::move(options)),
      environment_(environment),
      err_(err),
      channel_(grpc::CreateChannel(options_.endpoint, grpc::InsecureChannelCredentials())) {}

absl::Status Client::Run(const std::function<grpc::Status(grpc::ClientContext*)>& call, absl::Time deadline,
                         Interruptible interruptible) {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(deadline));
  if (!options_.os_token.empty()) context.AddMetadata("x-auth-token", options_.os_token);
  std::optional<Interrupt::Watch> watch;
  if (interruptible == Interruptible::kYes) watch.emplace(*environment_.interrupt, context);
  std::optional<WaitingNote> note;
  if (options_.notes_waiting && environment_.error_is_terminal && !noted_waiting_) {
    note.emplace(err_, environment_.waiting_note_after);
  }
  const grpc::Status status = call(&context);
  if (note) noted_waiting_ = note->Finish();
  return Explain(status);
}

absl::Status Client::Explain(const grpc::Status& status) const {
  absl::Status error = FromRpc(status);
  if (error.ok() || !ErrorInfoOf(error).reason().empty()) return error;
  switch (error.code()) {
    case absl::StatusCode::kUnavailable:
      return ExplainUnreachable(options_.endpoint, error.message());
    case absl::StatusCode::kCancelled:
      return absl::CancelledError(absl::StrCat(
          environment_.interrupt->triggered() ? "interrupted" : "volcryptd gave up", "; the work may still finish"));
    case absl::StatusCode::kDeadlineExceeded:
      return absl::DeadlineExceededError(absl::StrCat(
          "no answer from volcryptd within ", absl::FormatDuration(options_.timeout), "; the work may still finish"));
    case absl::StatusCode::kUnimplemented:
      return WithNote(error,
                      "this volcryptd is older or newer than this volcryptctl: compare with volcryptctl version");
    default:
      return error;
  }
}

}  // namespace volcrypt::ctl
