#include "tools/volcryptctl/version_command.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "nlohmann/json.hpp"
#include "tools/volcryptctl/call_error.h"
#include "tools/volcryptctl/json_output.h"
#include "tools/volcryptctl/key_values.h"
#include "tools/volcryptctl/printable.h"
#include "volcrypt/v1/agent.grpc.pb.h"

namespace volcrypt::ctl {
namespace {

void AddInfo(KeyValues& lines, const v1::GetInfoResponse& info) {
  lines.Add("server", info.version());
  std::vector<std::string> words;
  for (const int format : info.formats()) words.push_back(FormatWord(static_cast<v1::Encryption::Format>(format)));
  lines.Add("formats", absl::StrJoin(words, ", "));
  words.clear();
  for (const int mode : info.modes()) words.push_back(EnumWord(v1::Mode_Name(static_cast<v1::Mode>(mode)), "MODE_"));
  lines.Add("modes", absl::StrJoin(words, ", "));
  words.clear();
  for (const v1::KeyManagerInfo& manager : info.key_managers()) {
    words.push_back(absl::StrCat(manager.name(), " (", manager.type(), manager.is_default() ? ", default)" : ")"));
  }
  lines.Add("key managers", absl::StrJoin(words, ", "));
}

// An agent that does not answer is worth a line here, and no error: the client's version was asked for as well.
absl::Status RunVersion(Session& session) {
  if (session.quiet && session.output == Output::kTable) {
    session.out << VOLCRYPT_VERSION << '\n';
    return absl::OkStatus();
  }
  const auto info = session.client.Call(&v1::AgentService::Stub::GetInfo, v1::GetInfoRequest());
  if (session.output == Output::kJson) {
    nlohmann::ordered_json object = {{"client_version", VOLCRYPT_VERSION}};
    object["server"] = info.ok() ? ToJson(*info) : nlohmann::ordered_json();
    if (!info.ok()) object["server_error"] = ErrorToJson(info.status());
    PrintJson(session.out, object);
    return absl::OkStatus();
  }
  KeyValues lines;
  lines.Add("client", VOLCRYPT_VERSION);
  if (info.ok()) {
    AddInfo(lines, *info);
  } else {
    lines.Add("server", absl::StrCat("no answer: ", info.status().message(), " (", ReasonOrCode(info.status()), ")"));
  }
  lines.Print(session.out);
  return absl::OkStatus();
}

}  // namespace

void AddVersionCommand(const CommandApp& root, Command& selected) {
  const CommandApp app =
      root.Add("version", "Print the version of volcryptctl and, if it answers, of volcryptd", "volcryptctl version");
  app.OnUse([&selected] { selected = RunVersion; });
}

}  // namespace volcrypt::ctl
