#include "agent/keys/openstack/barbican_check.h"

#include <array>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/keys/openstack/http_status.h"
#include "agent/keys/openstack/remote_error.h"

namespace volcrypt {
namespace {

struct Stage {
  const char* name;
  HttpFailure failure;
};
constexpr std::array<Stage, 3> kStages = {
    {{"resolve", HttpFailure::kResolve}, {"connect", HttpFailure::kConnect}, {"tls", HttpFailure::kTls}}};

class Check {
 public:
  // `call` is the agent's own; `caller` has the caller's token, if there is one.
  Check(BarbicanCall& call, BarbicanCall& caller) : call_(call), caller_(caller), keystone_(call.Services().keystone) {}

  std::vector<CheckStep> Run() {
    if (!ReachKeystone() || !Authenticate() || !FindBarbican() || !ReachBarbican()) return std::move(steps_);
    if (Read()) Create();
    if (caller_.IsCallers()) TryCallersToken();
    return std::move(steps_);
  }

 private:
  bool Pass(const char* name, const std::string& detail) {
    steps_.push_back({.name = name, .passed = true, .detail = detail});
    return true;
  }

  bool Fail(const char* name, Reason reason, const std::string& detail, const std::string& remedy) {
    steps_.push_back({.name = name, .passed = false, .detail = detail, .remedy = remedy, .reason = reason});
    return false;
  }

  // The messages of errors end in what to do.
  bool Fail(const char* name, const absl::Status& error) {
    const std::string text(error.message());
    const Reason reason = ReasonOf(error).value_or(Reason::kKeyManagerUnavailable);
    const size_t at = text.rfind("; ");
    return at == std::string::npos ? Fail(name, reason, text, "")
                                   : Fail(name, reason, text.substr(0, at), text.substr(at + 2));
  }

  HttpAnswer Ask(const std::string& url) { return call_.Services().http.Send({.url = url}, call_.Deadline()); }

  // Any answer will do: whether it is the right server shows in the steps that follow.
  bool ReachKeystone() {
    const std::string& url = keystone_.AuthUrl();
    const HttpAnswer answer = Ask(url);
    const std::string where = absl::StrCat("Keystone at ", url);
    for (const Stage& stage : kStages) {
      if (answer.failure == stage.failure) return FailToReach(stage.name, "Keystone", where, answer);
      if (stage.failure == HttpFailure::kConnect && answer.failure == HttpFailure::kTimedOut) {
        return FailToReach(stage.name, "Keystone", where, answer);
      }
      if (stage.failure == HttpFailure::kTls && answer.failure != HttpFailure::kNone) {
        return FailToReach(stage.name, "Keystone", where, answer);
      }
      Pass(stage.name, DetailOf(stage.failure, where, url, answer));
    }
    return true;
  }

  std::string DetailOf(HttpFailure stage, const std::string& where, const std::string& url, const HttpAnswer& answer) {
    if (stage == HttpFailure::kResolve) return where;
    if (stage == HttpFailure::kConnect) return absl::StrCat(where, answer.peer.empty() ? "" : ", ", answer.peer);
    return absl::StartsWith(url, "https:")
               ? absl::StrCat(where, ": its certificate was verified")
               : absl::StrCat(where, " is used without TLS: passwords, tokens and keys can be read on the way");
  }

  bool FailToReach(const char* name, const char* server, const std::string& where, const HttpAnswer& answer) {
    const Reason reason =
        answer.failure == HttpFailure::kTimedOut ? Reason::kKeyManagerTimedOut : Reason::kKeyManagerUnavailable;
    return Fail(name, reason, absl::StrCat(where, ": ", PlainLine(answer.failure_text)),
                RemedyOf(answer.failure, server));
  }

  bool Authenticate() {
    const absl::StatusOr<KeystoneSession::TokenPtr> token = keystone_.NewToken(call_.Deadline());
    if (!token.ok()) return Fail("authenticate", token.status());
    roles_ = absl::StrJoin((*token)->roles, ", ");
    return Pass("authenticate", absl::StrCat("as user ", (*token)->user_name, " in project ", (*token)->project_name,
                                             ", with the roles ", roles_));
  }

  bool FindBarbican() {
    const absl::StatusOr<std::string> url = keystone_.BarbicanUrl(call_.Deadline());
    if (!url.ok()) return Fail("catalog", url.status());
    url_ = *url;
    const bool is_configured = !call_.Services().config.endpoint.empty();
    const absl::string_view warning =
        absl::StartsWith(url_, "https:") ? "" : ", without TLS: tokens and keys can be read on the way";
    return Pass("catalog", absl::StrCat("Barbican is at ", url_, is_configured ? ", as configured" : "", warning));
  }

  bool ReachBarbican() {
    const HttpAnswer answer = Ask(url_);
    if (answer.failure == HttpFailure::kNone) return true;
    const char* name = "connect";
    for (const Stage& stage : kStages) {
      if (answer.failure == stage.failure) name = stage.name;
    }
    return FailToReach(name, "Barbican", absl::StrCat("Barbican at ", url_), answer);
  }

  bool Read() {
    const BarbicanRequest request = {.path = "/secrets?limit=1", .what = "list secrets"};
    const absl::StatusOr<HttpAnswer> answer = call_.Send(request);
    if (!answer.ok()) return Fail("read", answer.status());
    if (answer->status != http_status::kOk) return Fail("read", call_.ErrorOf(request, *answer));
    return Pass("read", "secrets of the project can be read; others need a place in their read ACL");
  }

  bool Create() {
    constexpr absl::string_view kImpossibleOrder = R"({"type":"key","meta":{"algorithm":"aes","bit_length":0}})";
    const BarbicanRequest request = {
        .method = "POST", .path = "/orders/", .what = "order a key", .body = BodyOf(kImpossibleOrder)};
    const absl::StatusOr<HttpAnswer> answer = call_.Send(request);
    if (!answer.ok()) return Fail("create", answer.status());
    if (answer->status != http_status::kBadRequest) return Fail("create", call_.ErrorOf(request, *answer));
    return Pass("create", "keys can be ordered: an impossible order was refused for what it says, not for who sent it");
  }

  bool TryCallersToken() {
    const BarbicanRequest request = {
        .path = "/secrets?limit=1", .what = "list secrets with the caller's token", .may_fall_back = false};
    const absl::StatusOr<HttpAnswer> answer = caller_.Send(request);
    if (!answer.ok()) return Fail("caller", answer.status());
    if (answer->status != http_status::kOk) return Fail("caller", caller_.ErrorOf(request, *answer));
    return Pass("caller", "secrets of its project can be read with the caller's token, too");
  }

  BarbicanCall& call_;
  BarbicanCall& caller_;
  KeystoneSession& keystone_;
  std::string url_;
  std::string roles_;
  std::vector<CheckStep> steps_;
};

}  // namespace

std::vector<CheckStep> CheckBarbican(BarbicanServices& services, const KeyCall& call) {
  KeyCall own = call;
  own.tokens = nullptr;
  BarbicanCall as_agent(services, own);
  BarbicanCall as_caller(services, call);
  return Check(as_agent, as_caller).Run();
}

}  // namespace volcrypt
