#include "agent/metrics/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/exposer.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <exception>
#include <optional>
#include <sstream>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "agent/keys/key_manager.h"
#include "agent/metrics/attached_volumes.h"
#include "agent/metrics/loopback_address.h"
#include "encryptors/reason.h"
#include "encryptors/unique_fd.h"

namespace volcrypt {
namespace {

using prometheus::Counter;
using prometheus::Family;
using prometheus::Gauge;
using prometheus::Histogram;

constexpr std::string_view kAttach = "AttachVolume";

// From an idempotent answer, a millisecond, to the default operation_timeout.
const Histogram::BucketBoundaries& Seconds() {
  static const Histogram::BucketBoundaries boundaries = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
                                                         0.5,   1,      2.5,   5,    10,    30,   60};
  return boundaries;
}

// An attach that ends so was refused to protect data, and an operator should look.
constexpr std::array kRefusals = {Reason::kVolumeNotFormatted, Reason::kDeviceNotBlank,   Reason::kHeaderDamaged,
                                  Reason::kVolumeHeaderLost,   Reason::kFormatIncomplete, Reason::kVolumeErased,
                                  Reason::kHeaderMismatch,     Reason::kHeaderRefused,    Reason::kDeviceTooSmall,
                                  Reason::kDeviceReadOnly,     Reason::kStateNotWritable};

// Why a first-use record could not be read or written: what key managers answer, and what has no reason of the API.
constexpr std::array kRecordFailures = {Reason::kKeyAccessDenied,
                                        Reason::kKeyManagerUnavailable,
                                        Reason::kKeyManagerTimedOut,
                                        Reason::kKeyNotFound,
                                        Reason::kKeyUnfit,
                                        Reason::kInvalidKeyId,
                                        Reason::kInvalidField,
                                        Reason::kInvalidVolumeId,
                                        Reason::kCallerTokenRejected,
                                        Reason::kOutOfMemory,
                                        Reason::kWorkerFailed};

// How something ended, in words of closed tables.
struct Result {
  std::optional<Reason> reason;
  std::string reason_name;
  std::string code;
};

Result ResultOf(const absl::Status& status) {
  if (status.ok()) return {.reason = std::nullopt, .reason_name = "OK", .code = "OK"};
  // What a key manager cannot do at all has no reason of the API.
  if (IsNotHeld(status)) return {.reason = std::nullopt, .reason_name = "NOT_HELD", .code = "UNIMPLEMENTED"};
  const Reason reason = ReasonOf(status).value_or(Reason::kWorkerFailed);
  return {.reason = reason,
          .reason_name = std::string(ReasonName(reason)),
          .code = absl::StatusCodeToString(ReasonCode(reason))};
}

// What the result of a call says of its key manager; nothing for one that may have ended without asking it.
std::optional<bool> SaysUp(const absl::Status& status, const Result& result) {
  if (status.ok()) return true;
  if (!result.reason) return std::nullopt;
  switch (*result.reason) {
    case Reason::kKeyManagerUnavailable:
    case Reason::kKeyManagerTimedOut:
      return false;
    case Reason::kKeyNotFound:
    case Reason::kKeyAccessDenied:
      return true;
    default:
      return std::nullopt;
  }
}

template <typename Metric, typename Build>
Family<Metric>& Add(prometheus::Registry& registry, Build build, const char* name, const char* help) {
  return build().Name(name).Help(help).Register(registry);
}

const sockaddr* NameOf(const LoopbackAddress& address) { return reinterpret_cast<const sockaddr*>(&address.address); }

// The server only says that it could not start.
std::string WhyNotBound(const LoopbackAddress& address) {
  const UniqueFd fd(socket(address.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (fd.IsValid() && bind(fd.Get(), NameOf(address), address.size) == 0) return "its HTTP server could not be started";
  return strerror(errno);
}

void Connect(const LoopbackAddress& address) {
  const UniqueFd fd(socket(address.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  static_cast<void>(connect(fd.Get(), NameOf(address), address.size));
}

}  // namespace

// Every metric there is, and the values that are read when somebody asks.
class Metrics::Registered : public prometheus::Collectable {
 public:
  explicit Registered(const Sources& sources);

  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  prometheus::Registry registry_;

  Family<Counter>& Counters(const char* name, const char* help) {
    return Add<Counter>(registry_, prometheus::BuildCounter, name, help);
  }
  Family<Gauge>& Gauges(const char* name, const char* help) {
    return Add<Gauge>(registry_, prometheus::BuildGauge, name, help);
  }
  Family<Histogram>& Histograms(const char* name, const char* help) {
    return Add<Histogram>(registry_, prometheus::BuildHistogram, name, help);
  }

  const OperationSlots& slots_;
  LeftWorkers& left_workers_;
  mutable AttachedVolumes attached_volumes_;
  Family<Gauge>& attached_ = Gauges("volcrypt_attached_volumes", "Volumes attached on this host, by state.");
  Gauge& running_ = Gauges("volcrypt_operations_running", "Operations on devices that have a slot.").Add({});
  Gauge& waiting_ = Gauges("volcrypt_operations_waiting", "Operations on devices that wait for a slot.").Add({});
  Gauge& workers_stuck_ =
      Gauges("volcrypt_workers_stuck", "Workers of the helper that outlived their deadline and live still.").Add({});

 public:
  Family<Counter>& operations = Counters("volcrypt_operations_total", "Calls of the API that have ended.");
  Family<Histogram>& operation_seconds = Histograms("volcrypt_operation_duration_seconds",
                                                    "How long calls of the API took, with all that they waited for.");
  Family<Counter>& first_uses = Counters("volcrypt_first_uses_total", "Attaches that formatted the volume.");
  Family<Counter>& refusals =
      Counters("volcrypt_attach_refusals_total", "Attaches that were refused to protect data, by reason.");
  Family<Counter>& record_failures =
      Counters("volcrypt_first_use_record_failures_total",
               "Attaches that succeeded although the first-use record could not be read or written.");
  Family<Counter>& key_calls = Counters("volcrypt_key_manager_calls_total", "Calls to key managers that have ended.");
  Family<Histogram>& key_call_seconds =
      Histograms("volcrypt_key_manager_call_duration_seconds", "How long calls to key managers took.");
  Family<Gauge>& key_manager_up =
      Gauges("volcrypt_key_manager_up", "Whether the key manager answered when it was last asked.");
  Gauge& helper_up = Gauges("volcrypt_helper_up", "Whether a worker of volcrypt-helper answers.").Add({});
  Gauge& workers_busy = Gauges("volcrypt_workers_busy", "Workers of the helper that are waited for.").Add({});
  Family<Histogram>& worker_seconds =
      Histograms("volcrypt_worker_duration_seconds", "How long workers of the helper were waited for.");
  Counter& workers_timed_out =
      Counters("volcrypt_workers_timed_out_total", "Workers that outlived their deadline.").Add({});
  Counter& workers_failed =
      Counters("volcrypt_workers_failed_total", "Workers that ended without a proper answer.").Add({});
  Counter& audit_failures =
      Counters("volcrypt_audit_failures_total", "Lines of the audit that could not be written.").Add({});
};

Metrics::Registered::Registered(const Sources& sources)
    : slots_(sources.slots),
      left_workers_(sources.left_workers),
      attached_volumes_(sources.mappings, sources.pending_volumes) {
  Gauges("volcrypt_build_info", "The version that runs; the value is 1.").Add({{"version", VOLCRYPT_VERSION}}).Set(1);
  Gauges("volcrypt_operations_limit", "Operations on devices that may run at the same time.")
      .Add({})
      .Set(sources.max_operations);
  Gauges("volcrypt_start_time_seconds", "When the agent started, in seconds since the epoch.")
      .Add({})
      .Set(absl::ToDoubleSeconds(absl::Now() - absl::UnixEpoch()));
  helper_up.Set(1);
  // What an alert waits for is there from the start: of a counter that begins at 1, Prometheus sees no increase.
  for (const Reason reason : kRefusals) refusals.Add({{"reason", std::string(ReasonName(reason))}});
  for (const std::string& name : sources.key_managers) {
    first_uses.Add({{"key_manager", name}});
    for (const Reason reason : kRecordFailures) {
      record_failures.Add({{"key_manager", name}, {"reason", std::string(ReasonName(reason))}});
    }
  }
}

std::vector<prometheus::MetricFamily> Metrics::Registered::Collect() const {
  // The server is C, which no exception may cross.
  try {
    const AttachedVolumes::Counts attached = attached_volumes_.Read(absl::Now());
    attached_.Add({{"state", "active"}}).Set(attached.active);
    attached_.Add({{"state", "suspended"}}).Set(attached.suspended);
    attached_.Add({{"state", "broken"}}).Set(attached.broken);
    attached_.Add({{"state", "waiting"}}).Set(attached.waiting);
    running_.Set(slots_.Running());
    waiting_.Set(slots_.Waiting());
    workers_stuck_.Set(left_workers_.Count());
    return registry_.Collect();
  } catch (const std::exception&) {
    return {};
  }
}

class Metrics::Server {
 public:
  Server(const std::string& text, const LoopbackAddress& address,
         const std::weak_ptr<prometheus::Collectable>& collectable)
      : address_(address), exposer_(std::make_unique<prometheus::Exposer>(OptionsFor(text))) {
    exposer_->RegisterCollectable(collectable);
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  // The server sees that it is to end when somebody connects, or else every two seconds: a restart need not wait.
  ~Server() {
    const std::jthread waker([this](const std::stop_token& ended) {
      while (!ended.stop_requested()) {
        Connect(address_);
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
      }
    });
    exposer_.reset();
  }

 private:
  // A scrape takes milliseconds; who is slow to ask must not keep the threads for long.
  static std::vector<std::string> OptionsFor(const std::string& address) {
    return {"listening_ports", address, "num_threads", "2", "request_timeout_ms", "5000"};
  }

  const LoopbackAddress address_;
  std::unique_ptr<prometheus::Exposer> exposer_;
};

Metrics::Metrics(const Sources& sources) : registered_(std::make_shared<Registered>(sources)) {}

Metrics::~Metrics() = default;

absl::Status Metrics::Listen(const std::string& address) {
  const std::optional<LoopbackAddress> parsed = ParseLoopbackAddress(address);
  if (!parsed) {
    return absl::InvalidArgumentError(absl::StrCat("[metrics] listen: ", address, ": not a loopback address and port"));
  }
  try {
    server_ = std::make_unique<Server>(address, *parsed, registered_);
    return absl::OkStatus();
  } catch (const std::exception&) {
    return absl::FailedPreconditionError(absl::StrCat("[metrics] listen: cannot serve metrics at ", address, ": ",
                                                      WhyNotBound(*parsed),
                                                      "; choose another port, or leave it empty"));
  }
}

std::string Metrics::Text() const {
  std::ostringstream text;
  prometheus::TextSerializer().Serialize(text, registered_->Collect());
  return text.str();
}

void Metrics::OperationEnded(std::string_view verb, const absl::Status& outcome, absl::Duration took,
                             const OperationFacts& facts) {
  const std::string name(verb);
  const Result result = ResultOf(outcome);
  registered_->operations.Add({{"verb", name}, {"code", result.code}, {"reason", result.reason_name}}).Increment();
  registered_->operation_seconds.Add({{"verb", name}, {"code", result.code}}, Seconds())
      .Observe(absl::ToDoubleSeconds(took));
  if (verb != kAttach) return;
  if (result.reason && std::ranges::find(kRefusals, *result.reason) != kRefusals.end()) {
    registered_->refusals.Add({{"reason", result.reason_name}}).Increment();
  }
  if (!outcome.ok()) return;
  if (facts.formatted) registered_->first_uses.Add({{"key_manager", facts.key_manager}}).Increment();
  if (!facts.record_error.ok()) {
    const std::string reason = ResultOf(facts.record_error).reason_name;
    registered_->record_failures.Add({{"key_manager", facts.key_manager}, {"reason", reason}}).Increment();
  }
}

void Metrics::KeyCallEnded(std::string_view key_manager, std::string_view call, const absl::Status& outcome,
                           absl::Duration took) {
  const std::string name(key_manager);
  const std::string method(call);
  const Result result = ResultOf(outcome);
  registered_->key_calls
      .Add({{"key_manager", name}, {"call", method}, {"code", result.code}, {"reason", result.reason_name}})
      .Increment();
  registered_->key_call_seconds.Add({{"key_manager", name}, {"call", method}, {"code", result.code}}, Seconds())
      .Observe(absl::ToDoubleSeconds(took));
  const std::optional<bool> up = SaysUp(outcome, result);
  if (up) registered_->key_manager_up.Add({{"key_manager", name}}).Set(*up ? 1 : 0);
}

void Metrics::WorkerBegan() { registered_->workers_busy.Increment(); }

void Metrics::WorkerEnded(std::string_view verb, const absl::Status& outcome, absl::Duration took) {
  const Result result = ResultOf(outcome);
  registered_->workers_busy.Decrement();
  registered_->worker_seconds.Add({{"verb", std::string(verb)}, {"code", result.code}}, Seconds())
      .Observe(absl::ToDoubleSeconds(took));
  if (result.reason == Reason::kDeviceTimedOut) registered_->workers_timed_out.Increment();
  if (result.reason == Reason::kWorkerFailed) registered_->workers_failed.Increment();
}

void Metrics::HelperSeen(bool present) { registered_->helper_up.Set(present ? 1 : 0); }

void Metrics::AuditFailed() { registered_->audit_failures.Increment(); }

}  // namespace volcrypt
