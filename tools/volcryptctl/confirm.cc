#include "tools/volcryptctl/confirm.h"

#include <optional>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tools/volcryptctl/call_error.h"
#include "tools/volcryptctl/printable.h"

namespace volcrypt::ctl {

absl::Status CheckCanConfirm(const Session& session) {
  if (session.yes || session.environment.can_ask) return absl::OkStatus();
  return NotConfirmedError("this command asks before it acts, and there is no terminal to ask on: add --yes");
}

absl::Status Confirm(Session& session, absl::string_view question) {
  if (session.yes) return absl::OkStatus();
  if (absl::Status status = CheckCanConfirm(session); !status.ok()) return status;
  session.err << Printable(question) << " [y/N] " << std::flush;
  const std::optional<std::string> answer = session.environment.read_line();
  const absl::string_view word = absl::StripAsciiWhitespace(answer ? absl::string_view(*answer) : absl::string_view());
  if (absl::EqualsIgnoreCase(word, "y") || absl::EqualsIgnoreCase(word, "yes")) return absl::OkStatus();
  return NotConfirmedError("not confirmed; nothing was changed");
}

}  // namespace volcrypt::ctl
