#include "agent/keys/kmip/kmip_client.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "agent/keys/kmip/kmip_check.h"
#include "agent/keys/kmip/kmip_result.h"
#include "encryptors/reason.h"

namespace volcrypt {
namespace {

// Connections in use at a time. A group of hosts shares the servers.
constexpr int kMaxCalls = 8;

bool IsServersFault(const absl::Status& error) {
  return HasReason(error, Reason::kKeyManagerUnavailable) || HasReason(error, Reason::kKeyManagerTimedOut);
}

absl::Time Share(absl::Time deadline, size_t servers_left) {
  const absl::Time now = absl::Now();
  return now + (deadline - now) / static_cast<int64_t>(servers_left);
}

// What every server that was tried had to say.
class Failures {
 public:
  void Add(const KmipServer& server, const absl::Status& error) {
    texts_.push_back(absl::StrCat(ToString(server.Endpoint()), ": ", error.message()));
    servers_.push_back(ToString(server.Endpoint()));
    timed_out_ = timed_out_ || HasReason(error, Reason::kKeyManagerTimedOut);
  }

  absl::Status ToStatus() const { return ToStatus("", {}); }

  // After a request of which nobody knows whether it was carried out.
  absl::Status ToStatusAfter(KmipOperation operation) const {
    return ToStatus(absl::StrCat("; whether it did ", NameOf(operation), " is not known"),
                    {{KmipClient::kMayBeDone, "true"}});
  }

 private:
  absl::Status ToStatus(absl::string_view more, ErrorMetadata metadata) const {
    metadata.emplace("servers", absl::StrJoin(servers_, " "));
    return MakeError(timed_out_ ? Reason::kKeyManagerTimedOut : Reason::kKeyManagerUnavailable,
                     absl::StrCat("KMIP server ", absl::StrJoin(texts_, "; "), more), std::move(metadata));
  }

  std::vector<std::string> texts_;
  std::vector<std::string> servers_;
  bool timed_out_ = false;
};

struct ServerReport {
  bool works = false;
  std::vector<CheckStep> steps;
};

// Calls do without this server as long as another one works. What a server refuses, on the other hand, is final.
bool IsDead(const ServerReport& report) {
  if (report.works || report.steps.empty()) return false;
  const std::optional<Reason>& reason = report.steps.back().reason;
  return reason == Reason::kKeyManagerUnavailable || reason == Reason::kKeyManagerTimedOut;
}

// What is left to say of a dead server when others work.
CheckStep WarningOf(const ServerReport& dead) {
  CheckStep step = dead.steps.back();
  step.passed = true;
  step.detail = absl::StrCat("calls go to the other servers, as this one is of no use: ", step.detail);
  step.reason.reset();
  return step;
}

}  // namespace

// The right to have one connection in use.
class KmipClient::Slot {
 public:
  Slot(KmipClient& client, absl::Time deadline) : client_(client) {
    std::unique_lock lock(client_.mutex_);
    taken_ = client_.slot_freed_.wait_until(lock, absl::ToChronoTime(deadline),
                                            [this] { return client_.slots_taken_ < kMaxCalls; });
    if (taken_) ++client_.slots_taken_;
  }
  Slot(const Slot&) = delete;
  Slot& operator=(const Slot&) = delete;
  ~Slot() {
    if (!taken_) return;
    {
      const std::lock_guard lock(client_.mutex_);
      --client_.slots_taken_;
    }
    client_.slot_freed_.notify_one();
  }

  bool IsTaken() const { return taken_; }

 private:
  KmipClient& client_;
  bool taken_ = false;
};

KmipClient::KmipClient(TlsContext tls, Options options)
    : tls_(std::move(tls)), credential_(std::move(options.credential)) {
  for (KmipEndpoint& endpoint : options.servers) {
    servers_.push_back(std::make_unique<KmipServer>(std::move(endpoint), tls_, credential_ ? &*credential_ : nullptr));
  }
}

absl::StatusOr<KmipReply> KmipClient::Call(const KmipRequest& request, Repeat repeat, absl::Time deadline) {
  const Slot slot(*this, deadline);
  if (!slot.IsTaken()) {
    return MakeError(Reason::kKeyManagerTimedOut, "all connections to the KMIP servers were busy until the deadline");
  }
  Failures failures;
  const std::vector<KmipServer*> servers = InOrder();
  for (size_t i = 0; i < servers.size(); ++i) {
    const bool is_last = i + 1 == servers.size();
    Attempt attempt = Try(*servers[i], request, repeat, Share(deadline, servers.size() - i));
    absl::StatusOr<KmipReply> reply = std::move(attempt.reply);
    if (reply.ok()) {
      const std::optional<KmipResultReason> refusal = reply->response.error;
      // It may have been changed for one that speaks another version.
      if (refusal == KmipResultReason::kInvalidMessage) servers[i]->NoteFailure();
      const bool elsewhere = refusal && IsServersOwnTrouble(*refusal) && repeat == Repeat::kAllowed && !is_last;
      if (!elsewhere) return reply;
      failures.Add(*servers[i], RefusalOf(request.operation, *refusal, ""));
      continue;
    }
    if (!IsServersFault(reply.status())) return reply;
    servers[i]->NoteFailure();
    failures.Add(*servers[i], reply.status());
    if (attempt.was_sent && repeat == Repeat::kNever) return failures.ToStatusAfter(request.operation);
  }
  return failures.ToStatus();
}

std::vector<KmipServer*> KmipClient::InOrder() {
  std::vector<KmipServer*> servers;
  for (const std::unique_ptr<KmipServer>& server : servers_) servers.push_back(server.get());
  std::stable_partition(servers.begin(), servers.end(),
                        [](const KmipServer* server) { return !server->FailedLately(); });
  return servers;
}

KmipClient::Attempt KmipClient::Try(KmipServer& server, const KmipRequest& request, Repeat repeat,
                                    absl::Time deadline) {
  std::unique_ptr<KmipConnection> kept = repeat == Repeat::kAllowed ? server.TakeIdle() : nullptr;
  if (kept == nullptr) return TryNew(server, request, deadline);
  // A dead connection can be silent: half of the time is for a new one.
  absl::StatusOr<KmipReply> reply = kept->Exchange(request, Share(deadline, 2));
  if (!reply.ok() && IsServersFault(reply.status())) return TryNew(server, request, deadline);
  if (reply.ok()) server.GiveBack(std::move(kept));
  return {.reply = std::move(reply), .was_sent = true};
}

KmipClient::Attempt KmipClient::TryNew(KmipServer& server, const KmipRequest& request, absl::Time deadline) {
  absl::StatusOr<std::unique_ptr<KmipConnection>> connection = server.Connect(deadline);
  if (!connection.ok()) return {.reply = connection.status(), .was_sent = false};
  absl::StatusOr<KmipReply> reply = (*connection)->Exchange(request, deadline);
  if (reply.ok()) server.GiveBack(*std::move(connection));
  return {.reply = std::move(reply), .was_sent = true};
}

std::vector<CheckStep> KmipClient::Check(absl::Time deadline) const {
  std::vector<ServerReport> reports(servers_.size());
  for (size_t i = 0; i < servers_.size(); ++i) {
    reports[i].works = CheckKmipServer(servers_[i]->Endpoint(), tls_, credential_ ? &*credential_ : nullptr,
                                       Share(deadline, servers_.size() - i), reports[i].steps);
  }
  const bool any_works = std::ranges::any_of(reports, &ServerReport::works);
  std::vector<CheckStep> steps;
  for (ServerReport& report : reports) {
    if (any_works && IsDead(report)) {
      steps.push_back(WarningOf(report));
    } else {
      std::move(report.steps.begin(), report.steps.end(), std::back_inserter(steps));
    }
  }
  return steps;
}

}  // namespace volcrypt
