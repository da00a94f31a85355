#include <algorithm>
#include <cerrno>
#include <cstring>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "tools/volcryptctl/call_error.h"
#include "tools/volcryptctl/doctor/checks.h"
#include "tools/volcryptctl/doctor/host_files.h"
#include "tools/volcryptctl/endpoint.h"
#include "tools/volcryptctl/printable.h"

namespace volcrypt::ctl {
namespace {

using grpc::health::v1::HealthCheckResponse;
using Step = v1::CheckKeyManagerResponse::Step;

constexpr const char* kStart =
    R"(run "systemctl restart volcryptd.socket volcryptd" and read "journalctl -u volcryptd -x")";
constexpr const char* kGiveRole = "give the user a role in an [[access]] table of volcryptd.toml, or run this as root";

bool HasReason(const absl::Status& status, absl::string_view reason) { return ErrorInfoOf(status).reason() == reason; }

std::string Said(const absl::Status& status) {
  return absl::StrCat(std::string(status.message()), " (", ReasonOrCode(status), ")");
}

Finding NotTold(const std::string& what) {
  return Warning(absl::StrCat("volcryptd does not tell", what), "mend \"agent\" first");
}

Finding CheckConnection(const Examination& examination, const std::string& group) {
  const int error = ConnectErrno(examination.socket);
  switch (error) {
    case 0:
      return Fine(absl::StrCat(examination.socket, " takes connections; its group is ", group));
    case EACCES:
    case EPERM:
      return Warning(absl::StrCat("this user may not connect to ", examination.socket),
                     absl::StrCat("run \"usermod -aG ", group, " USER\" and log in again, or run this as root"));
    case EAGAIN:
      return Fault(absl::StrCat(examination.socket, " has a full queue: volcryptd takes no calls"), kStart);
    default:
      return Fault(absl::StrCat("nobody listens at ", examination.socket, " (", std::strerror(error), ")"), kStart);
  }
}

Finding CheckKeyManager(const AgentAnswers::KeyManager& manager) {
  const std::string who = absl::StrCat(manager.name, " (", manager.type, "): ");
  if (HasReason(manager.check.status(), "CALLER_NOT_ALLOWED")) {
    return Warning(absl::StrCat(who, "not checked: that needs the role admin"), kGiveRole);
  }
  const std::string more = absl::StrCat("run \"volcryptctl key check ", manager.name, "\", which shows every step");
  if (!manager.check.ok()) return Fault(absl::StrCat(who, Said(manager.check.status())), more);
  const auto& steps = manager.check->steps();
  const auto text = [&](const Step& step) { return absl::StrCat(who, step.name(), ": ", step.detail()); };
  const auto remedy = [&](const Step& step) { return step.remedy().empty() ? more : step.remedy(); };
  const auto failed = std::ranges::find_if(steps, [](const Step& step) { return !step.passed(); });
  if (failed != steps.end()) return Fault(text(*failed), remedy(*failed));
  const auto doubtful = std::ranges::find_if(steps, [](const Step& step) { return !step.remedy().empty(); });
  if (doubtful != steps.end()) return Warning(text(*doubtful), remedy(*doubtful));
  return Fine(absl::StrCat(who, steps.size(), " steps passed"));
}

Finding Describe(const v1::Attachment& attachment) {
  const std::string state = EnumWord(v1::Attachment::State_Name(attachment.state()), "STATE_");
  const std::string found = absl::StrCat(attachment.volume_id(), " is ", state, ": ", attachment.state_reason());
  if (attachment.state() == v1::Attachment::STATE_BROKEN) {
    return Fault(found, absl::StrCat("stop what uses it, run \"volcryptctl detach ", attachment.volume_id(),
                                     "\" and attach it again"));
  }
  if (attachment.state() == v1::Attachment::STATE_WAITING) {
    return Warning(found,
                   "mend what the reason names, and volcryptd attaches it; or remove its file from volumes.d and "
                   "run \"systemctl reload volcryptd\"");
  }
  return Warning(found, absl::StrCat("see \"volcryptctl show ", attachment.volume_id(), "\""));
}

// The check of the mappings has it already, and has it without the agent.
bool IsSeenInSysfs(const v1::Attachment& attachment) {
  return attachment.mode() == v1::MODE_HOST_MAPPING &&
         (attachment.state() == v1::Attachment::STATE_BROKEN || attachment.state() == v1::Attachment::STATE_SUSPENDED);
}

}  // namespace

Findings CheckSocket(const Examination& examination) {
  const auto status = StatusOf(examination.socket);
  if (absl::IsPermissionDenied(status.status())) return {Hidden(examination.socket)};
  if (!status.ok()) return {Fault(absl::StrCat(examination.socket, " does not exist"), kStart)};
  if (!S_ISSOCK(status->st_mode)) return {Fault(absl::StrCat(examination.socket, " is not a socket"), kStart)};
  return {CheckConnection(examination, NameOf(examination.host, "/etc/group", status->st_gid))};
}

Findings CheckAgent(const Examination& examination) {
  const auto& info = examination.agent.info;
  if (!info.ok() && (HasAnswered(info.status()) || absl::IsPermissionDenied(info.status()))) {
    return {Warning(Said(info.status()), kGiveRole)};
  }
  if (!info.ok()) return {Fault(Said(info.status()), kStart)};
  Findings findings = {Fine(absl::StrCat("volcryptd ", info->version(), " answers"))};
  if (info->version() != VOLCRYPT_VERSION) {
    findings.push_back(Warning(absl::StrCat("this is volcryptctl ", VOLCRYPT_VERSION),
                               "install the packages volcrypt and volcrypt-ctl of the same release"));
  }
  if (info->maintenance()) {
    findings.push_back(
        Warning("maintenance is on: new attaches are refused", "run \"volcryptctl maintenance off\" when it is over"));
  }
  return findings;
}

Findings CheckRole(const Examination& examination) {
  if (!examination.agent.info.ok()) return {NotTold(" the role of this user")};
  bool is_admin = false;
  bool is_no_admin = false;
  for (const AgentAnswers::KeyManager& manager : examination.agent.key_managers) {
    const absl::Status& status = manager.check.status();
    is_no_admin |= HasReason(status, "CALLER_NOT_ALLOWED");
    is_admin |= HasAnswered(status) && !HasReason(status, "CALLER_NOT_ALLOWED");
  }
  if (is_admin) return {Fine("this user is admin")};
  if (is_no_admin && examination.agent.attachments.ok()) return {Fine("this user is compute")};
  if (examination.agent.attachments.ok()) return {Fine("this user is compute, or admin")};
  return {Warning(Said(examination.agent.attachments.status()), kGiveRole)};
}

Findings CheckHelper(const Examination& examination) {
  const auto& status = examination.agent.health;
  if (!status.ok()) {
    const bool runs = !ProcessesNamed(examination.host, "volcrypt-helper").empty();
    return {NotTold(runs ? "; volcrypt-helper runs" : "; volcrypt-helper does not run, or is hidden")};
  }
  if (status->status() == HealthCheckResponse::SERVING) return {Fine("volcryptd reaches it")};
  if (examination.agent.info.ok() && examination.agent.info->maintenance()) {
    return {Warning("not known: during maintenance health is NOT_SERVING anyway",
                    "look again after \"volcryptctl maintenance off\"")};
  }
  return {Fault("volcryptd does not reach volcrypt-helper",
                "run \"systemctl restart volcrypt-helper.socket volcrypt-helper\" and read \"journalctl -u "
                "volcrypt-helper -x\"")};
}

Findings CheckKeyManagers(const Examination& examination) {
  if (!examination.agent.info.ok()) return {NotTold(" whether key managers answer")};
  Findings findings;
  for (const AgentAnswers::KeyManager& manager : examination.agent.key_managers) {
    findings.push_back(CheckKeyManager(manager));
  }
  return findings;
}

Findings CheckLibvirt(const Examination& examination) {
  const auto& [info, list] = std::tie(examination.agent.info, examination.agent.attachments);
  if (!info.ok()) return {NotTold(" whether libvirt is configured")};
  if (std::ranges::find(info->modes(), static_cast<int>(v1::MODE_LIBVIRT_SECRET)) == info->modes().end()) {
    return {Fine("not configured")};
  }
  if (!list.ok()) return {Warning(absl::StrCat("not known: ", Said(list.status())), kGiveRole)};
  if (std::ranges::find(list->unreachable(), "libvirt") != list->unreachable().end()) {
    return {Fault("configured, but volcryptd does not reach it",
                  "run \"systemctl status libvirtd virtqemud virtsecretd\" and compare with [libvirt] uri")};
  }
  return {Fine("configured and reached")};
}

Findings CheckAttachments(const Examination& examination) {
  const auto& list = examination.agent.attachments;
  if (!examination.agent.info.ok()) return {NotTold(" in what state volumes are attached")};
  if (!list.ok()) return {Warning(absl::StrCat("not known: ", Said(list.status())), kGiveRole)};
  Findings findings;
  for (const v1::Attachment& attachment : list->attachments()) {
    if (attachment.state() != v1::Attachment::STATE_ACTIVE && !IsSeenInSysfs(attachment)) {
      findings.push_back(Describe(attachment));
    }
  }
  for (const std::string& volume : examination.agent.detaching) {
    findings.push_back(Warning(absl::StrCat(volume, " waits to be detached until its last user closes it"),
                               "stop its user, or attach it again to keep it"));
  }
  if (findings.empty()) findings.push_back(Fine(absl::StrCat(list->attachments_size(), " attached")));
  return findings;
}

}  // namespace volcrypt::ctl
