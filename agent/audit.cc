#include "agent/audit.h"

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "encryptors/reason.h"

namespace volcrypt {

absl::Status Audit::WriteBefore(const AuditEvent& event) {
  absl::Status written = Write(event, /*durable=*/true);
  if (written.ok()) return written;
  return MakeError(Reason::kStateNotWritable,
                   absl::StrCat("nothing was changed, because of what cannot be undone the audit must say first: ",
                                written.message()),
                   MetadataOf(written));
}

void Audit::WriteAfter(const AuditEvent& event) { static_cast<void>(Write(event, /*durable=*/false)); }

absl::Status Audit::Write(const AuditEvent& event, bool durable) {
  const std::string line = AuditLine(event, absl::Now());
  LogFields fields = {{"audit", "1"}};
  fields.insert(fields.end(), event.about.begin(), event.about.end());
  const bool in_journal = log_.WriteToJournal(line, fields);
  absl::Status in_file = file_.Add(line, durable);
  if (!in_journal) log_.Write(LogLevel::kError, "the journal does not take the audit", {{"line", line}});
  if (!in_file.ok()) {
    log_.Write(LogLevel::kError, "the audit file lacks a line",
               {{"reason", std::string(ReasonName(Reason::kStateNotWritable))},
                {"error", std::string(in_file.message())},
                {"line", line}});
  }
  if (!in_journal || !in_file.ok()) observer_.AuditFailed();
  return in_file;
}

}  // namespace volcrypt
