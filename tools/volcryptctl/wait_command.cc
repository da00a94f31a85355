#include "tools/volcryptctl/wait_command.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tools/volcryptctl/attachment_text.h"
#include "tools/volcryptctl/call_error.h"
#include "tools/volcryptctl/json_output.h"
#include "tools/volcryptctl/printable.h"
#include "volcrypt/v1/volume_encryptor.grpc.pb.h"

namespace volcrypt::ctl {
namespace {

// Each look costs the agent a worker, and the agent itself tries again with growing pauses.
constexpr absl::Duration kFirstPause = absl::Milliseconds(250);
constexpr absl::Duration kLongestPause = absl::Seconds(2);

using Answer = absl::StatusOr<v1::GetAttachmentResponse>;

bool IsWaiting(const Answer& answer) {
  return answer.ok() && answer->attachment().state() == v1::Attachment::STATE_WAITING;
}

absl::Status StillWaits(const std::string& volume_id, const Answer& last) {
  if (!last.ok()) return last.status();
  return absl::DeadlineExceededError(
      absl::StrCat("volume ", volume_id, " waits still: ", last->attachment().state_reason()));
}

// The first answer that does not change by itself any more. An agent that is restarted just now is worth waiting for,
// too.
Answer AwaitAnswer(const std::string& volume_id, Session& session) {
  v1::GetAttachmentRequest request;
  request.set_volume_id(volume_id);
  const absl::Time end = absl::Now() + session.timeout;
  Answer last = absl::DeadlineExceededError("volcryptd did not answer");
  for (absl::Duration pause = kFirstPause;; pause = std::min(2 * pause, kLongestPause)) {
    Answer answer = session.client.CallUntil(end, &v1::VolumeEncryptorService::Stub::GetAttachment, request);
    // The time was up before it came, and the one before says more.
    if (absl::IsDeadlineExceeded(answer.status()) && IsWaiting(last)) return StillWaits(volume_id, last);
    if (!IsWaiting(answer) && !absl::IsUnavailable(answer.status())) return answer;
    if (session.environment.interrupt->triggered()) return absl::CancelledError("interrupted");
    last = std::move(answer);
    const absl::Duration left = end - absl::Now();
    if (left <= absl::ZeroDuration()) return StillWaits(volume_id, last);
    absl::SleepFor(std::min(pause, left));
  }
}

absl::Status RunWait(const std::string& volume_id, Session& session) {
  const Answer answer = AwaitAnswer(volume_id, session);
  if (!answer.ok()) return answer.status();
  const v1::Attachment& attachment = answer->attachment();
  if (session.output == Output::kJson) {
    PrintJson(session.out, *answer);
  } else {
    session.out << Printable(attachment.device_path()) << '\n';
  }
  if (attachment.state() == v1::Attachment::STATE_ACTIVE) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat("volume ", volume_id, " is attached but ",
                                                    EnumWord(v1::Attachment::State_Name(attachment.state()), "STATE_"),
                                                    ": ", attachment.state_reason()));
}

}  // namespace

void AddWaitCommand(const CommandApp& root, Command& selected) {
  const CommandApp app = root.Add("wait",
                                  "Wait until a volume that is attached at boot is attached, no longer than --timeout, "
                                  "and print its path",
                                  "volcryptctl wait scratch --timeout 10m");
  const auto volume_id = std::make_shared<std::string>();
  app.AddOption("VOLUME_ID", *volume_id, "The volume's id", {.required = true});
  app.OnUse(
      [volume_id, &selected] { selected = [volume_id](Session& session) { return RunWait(*volume_id, session); }; });
}

}  // namespace volcrypt::ctl
