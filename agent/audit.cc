#include "agent/audit.h"

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "encryptors/reason.h"

namespace volcrypt {

absl::Status Audit::WriteBefore(const AuditEvent& event) {
  absl::Status written = Write(AuditLine(event, absl::Now()), event.about, /*durable=*/true);
  if (written.ok()) return written;
  return MakeError(Reason::kStateNotWritable,
                   absl::StrCat("nothing was changed, because of what cannot be undone the audit must say first: ",
                                written.message()),
                   MetadataOf(written));
}

void Audit::WriteAfter(const AuditEvent& event) {
  static_cast<void>(Write(AuditLine(event, absl::Now()), event.about, /*durable=*/false));
}

void Audit::WriteLeftOut(std::string_view caller, uint64_t calls) {
  static_cast<void>(Write(LeftOutLine(caller, calls, absl::Now()), {}, /*durable=*/false));
}

absl::Status Audit::Write(const std::string& line, const LogFields& about, bool durable) {
  LogFields fields = {{"audit", "1"}};
  fields.insert(fields.end(), about.begin(), about.end());
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
