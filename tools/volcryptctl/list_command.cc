#include "tools/volcryptctl/list_command.h"

#include "absl/strings/str_join.h"
#include "tools/volcryptctl/attachment_list.h"
#include "tools/volcryptctl/attachment_text.h"
#include "tools/volcryptctl/json_output.h"
#include "tools/volcryptctl/printable.h"
#include "tools/volcryptctl/text_table.h"

namespace volcrypt::ctl {
namespace {

void PrintList(Session& session, const v1::ListAttachmentsResponse& list) {
  if (session.quiet) {
    for (const v1::Attachment& row : list.attachments()) session.out << Printable(row.volume_id()) << '\n';
    return;
  }
  if (list.attachments().empty()) {
    session.err << "volcryptctl: no volume is attached\n";
    return;
  }
  TextTable table({"VOLUME", "STATE", "FORMAT", "SIZE", "RO", "DEVICE", "PATH"});
  for (const v1::Attachment& row : list.attachments()) {
    table.Add({row.volume_id(), StateWord(row), FormatWord(row.encryption().format()),
               row.size_bytes() == 0 ? "" : HumanSize(row.size_bytes()), YesNo(row.read_only()), row.device(),
               row.device_path()});
  }
  table.Print(session.out);
  for (const v1::Attachment& row : list.attachments()) {
    if (row.state() != v1::Attachment::STATE_WAITING) continue;
    session.out << Printable(row.volume_id()) << " waits: " << Printable(row.state_reason()) << '\n';
  }
}

absl::Status RunList(Session& session) {
  const auto list = ListAllAttachments(session.client);
  if (!list.ok()) return list.status();
  if (!list->unreachable().empty() && !session.quiet) {
    session.err << "volcryptctl: the list may be incomplete, no answer from: "
                << Printable(absl::StrJoin(list->unreachable(), ", ")) << '\n';
  }
  if (session.output == Output::kJson) {
    PrintJson(session.out, *list);
  } else {
    PrintList(session, *list);
  }
  return absl::OkStatus();
}

}  // namespace

void AddListCommand(const CommandApp& root, Command& selected) {
  const CommandApp app = root.Add("list", "List the volumes that are attached on this host, and those that wait to be",
                                  "volcryptctl list -o json");
  app.OnUse([&selected] { selected = RunList; });
}

}  // namespace volcrypt::ctl
