#include "tools/volcryptctl/detach_all.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "tools/volcryptctl/attachment_list.h"
#include "tools/volcryptctl/call_error.h"
#include "tools/volcryptctl/confirm.h"
#include "tools/volcryptctl/json_output.h"
#include "tools/volcryptctl/printable.h"
#include "tools/volcryptctl/text_table.h"

namespace volcrypt::ctl {
namespace {

struct Outcome {
  std::string volume_id;
  absl::StatusOr<v1::DetachVolumeResponse> response;
};

nlohmann::ordered_json OutcomeToJson(const Outcome& outcome) {
  nlohmann::ordered_json row = {{"volume_id", outcome.volume_id}};
  if (outcome.response.ok()) {
    row.update(ToJson(*outcome.response));
  } else {
    row["error"] = ErrorToJson(outcome.response.status());
  }
  return row;
}

void PrintOutcomes(Session& session, const std::vector<Outcome>& outcomes) {
  if (session.output == Output::kJson) {
    nlohmann::ordered_json rows = nlohmann::ordered_json::array();
    for (const Outcome& outcome : outcomes) rows.push_back(OutcomeToJson(outcome));
    nlohmann::ordered_json object;
    object["volumes"] = rows;
    PrintJson(session.out, object);
  } else if (!session.quiet && !outcomes.empty()) {
    TextTable table({"VOLUME", "RESULT"});
    for (const auto& [volume_id, response] : outcomes) {
      table.Add({volume_id, response.ok() ? DetachWord(*response)
                                          : absl::StrCat("failed: ", response.status().message(), " (",
                                                         ReasonOrCode(response.status()), ")")});
    }
    table.Print(session.out);
  }
}

absl::Status Summary(const std::vector<Outcome>& outcomes) {
  size_t failed = 0;
  absl::Status first;
  for (const auto& [volume_id, response] : outcomes) {
    if (response.ok()) continue;
    ++failed;
    if (first.ok()) first = WithMetadata(response.status(), "volume_id", volume_id);
  }
  if (failed == 0) return absl::OkStatus();
  return WithNote(first, absl::StrCat(failed, " of ", outcomes.size(), " volumes could not be detached"));
}

}  // namespace

std::string DetachWord(const v1::DetachVolumeResponse& response) {
  if (!response.was_attached()) return "was not attached";
  return response.pending() ? "still in use, detaches when the last user closes it" : "detached";
}

absl::Status DetachAll(const v1::DetachVolumeRequest& request, Session& session) {
  if (absl::Status status = CheckCanConfirm(session); !status.ok()) return status;
  auto list = ListAllAttachments(session.client);
  if (!list.ok()) return list.status();
  auto& attachments = *list->mutable_attachments();
  // Those that wait are not attached.
  attachments.erase(
      std::remove_if(attachments.begin(), attachments.end(),
                     [](const v1::Attachment& one) { return one.state() == v1::Attachment::STATE_WAITING; }),
      attachments.end());
  if (list->attachments().empty()) {
    if (!session.quiet) session.err << "volcryptctl: no volume is attached\n";
    PrintOutcomes(session, {});
    return absl::OkStatus();
  }
  const std::string question = absl::StrCat("Detach all volumes of this host (", list->attachments_size(), ")?");
  if (absl::Status status = Confirm(session, question); !status.ok()) return status;
  std::vector<Outcome> outcomes;
  for (const v1::Attachment& attachment : list->attachments()) {
    v1::DetachVolumeRequest one = request;
    one.set_volume_id(attachment.volume_id());
    outcomes.push_back(
        {attachment.volume_id(), session.client.Call(&v1::VolumeEncryptorService::Stub::DetachVolume, one)});
  }
  PrintOutcomes(session, outcomes);
  return Summary(outcomes);
}

}  // namespace volcrypt::ctl
