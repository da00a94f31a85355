#include "agent/metrics/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <memory>
#include <thread>
#include <utility>

#include "absl/time/clock.h"
#include "agent/keys/key_manager.h"
#include "agent/metrics/attached_volumes.h"
#include "encryptors/reason.h"
#include "tests/unit/agent/attacher_fixture.h"
#include "tests/unit/agent/http_get.h"

namespace volcrypt {
namespace {

using testing::HasSubstr;
using testing::Not;

absl::Status Failed(Reason reason) {
  return MakeError(reason, "volume vol-1 with key-1 failed", {{"volume", "vol-1"}});
}

// The fixture's sysfs and slots are what is read at each scrape.
class MetricsTest : public AttacherTest {
 protected:
  LeftWorkers left_workers_;
  PendingVolumes pending_volumes_;
  Metrics metrics_{{.mappings = mappings_,
                    .slots = slots_,
                    .left_workers = left_workers_,
                    .pending_volumes = pending_volumes_,
                    .max_operations = 4,
                    .key_managers = {"local", "barbican"}}};
};

TEST_F(MetricsTest, EveryOperationIsCountedByVerbCodeAndReason) {
  metrics_.OperationEnded("DetachVolume", absl::OkStatus(), absl::Milliseconds(20), {});
  metrics_.OperationEnded("DetachVolume", absl::OkStatus(), absl::Milliseconds(70), {});
  metrics_.OperationEnded("DetachVolume", Failed(Reason::kMappingInUse), absl::Milliseconds(3), {});
  const std::string text = metrics_.Text();
  EXPECT_THAT(text, HasSubstr("volcrypt_operations_total{code=\"OK\",reason=\"OK\",verb=\"DetachVolume\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("volcrypt_operations_total{code=\"FAILED_PRECONDITION\",reason=\"MAPPING_IN_USE\","
                              "verb=\"DetachVolume\"} 1\n"));
}

TEST_F(MetricsTest, DurationsFallIntoTheirBuckets) {
  metrics_.OperationEnded("AttachVolume", absl::OkStatus(), absl::Milliseconds(20), {});
  metrics_.OperationEnded("AttachVolume", absl::OkStatus(), absl::Minutes(2), {});
  const std::string text = metrics_.Text();
  const std::string bucket = "volcrypt_operation_duration_seconds_bucket{code=\"OK\",verb=\"AttachVolume\",le=";
  EXPECT_THAT(text, HasSubstr(bucket + "\"0.01\"} 0\n"));
  EXPECT_THAT(text, HasSubstr(bucket + "\"0.025\"} 1\n"));
  EXPECT_THAT(text, HasSubstr(bucket + "\"60\"} 1\n"));
  EXPECT_THAT(text, HasSubstr(bucket + "\"+Inf\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("volcrypt_operation_duration_seconds_sum{code=\"OK\",verb=\"AttachVolume\"} 120.02\n"));
}

TEST_F(MetricsTest, ErrorWithoutReasonCountsAsWhatTheCallerIsTold) {
  metrics_.OperationEnded("GetInfo", absl::UnknownError("?"), absl::ZeroDuration(), {});
  EXPECT_THAT(metrics_.Text(), HasSubstr("{code=\"INTERNAL\",reason=\"WORKER_FAILED\",verb=\"GetInfo\"} 1\n"));
}

TEST_F(MetricsTest, FirstUsesCountByKeyManagerFromTheStart) {
  EXPECT_THAT(metrics_.Text(), HasSubstr("volcrypt_first_uses_total{key_manager=\"barbican\"} 0\n"));
  metrics_.OperationEnded("AttachVolume", absl::OkStatus(), absl::ZeroDuration(), {.key_manager = "barbican"});
  EXPECT_THAT(metrics_.Text(), HasSubstr("volcrypt_first_uses_total{key_manager=\"barbican\"} 0\n"));
  metrics_.OperationEnded("AttachVolume", absl::OkStatus(), absl::ZeroDuration(),
                          {.formatted = true, .key_manager = "barbican"});
  EXPECT_THAT(metrics_.Text(), HasSubstr("volcrypt_first_uses_total{key_manager=\"barbican\"} 1\n"));
  EXPECT_THAT(metrics_.Text(), HasSubstr("volcrypt_first_uses_total{key_manager=\"local\"} 0\n"));
}

TEST_F(MetricsTest, RefusalsThatProtectDataCountFromTheStart) {
  for (const char* const reason :
       {"VOLUME_NOT_FORMATTED", "DEVICE_NOT_BLANK", "HEADER_DAMAGED", "VOLUME_HEADER_LOST", "FORMAT_INCOMPLETE",
        "VOLUME_ERASED", "HEADER_MISMATCH", "HEADER_REFUSED", "DEVICE_TOO_SMALL", "DEVICE_READ_ONLY"}) {
    const std::string series = std::string("volcrypt_attach_refusals_total{reason=\"") + reason + "\"} ";
    EXPECT_THAT(metrics_.Text(), HasSubstr(series + "0\n"));
    metrics_.OperationEnded("AttachVolume", Failed(*ParseReason(reason)), absl::ZeroDuration(), {});
    EXPECT_THAT(metrics_.Text(), HasSubstr(series + "1\n"));
  }
}

TEST_F(MetricsTest, OtherErrorsAndOtherVerbsAreNoRefusals) {
  metrics_.OperationEnded("AttachVolume", Failed(Reason::kKeyNotFound), absl::ZeroDuration(), {});
  metrics_.OperationEnded("ExtendVolume", Failed(Reason::kHeaderDamaged), absl::ZeroDuration(), {});
  EXPECT_THAT(metrics_.Text(), Not(HasSubstr("volcrypt_attach_refusals_total{reason=\"KEY_NOT_FOUND\"}")));
  EXPECT_THAT(metrics_.Text(), HasSubstr("volcrypt_attach_refusals_total{reason=\"HEADER_DAMAGED\"} 0\n"));
}

TEST_F(MetricsTest, RecordsThatFailedCountByKeyManagerAndReason) {
  const std::string denied =
      "volcrypt_first_use_record_failures_total{key_manager=\"barbican\",reason=\"KEY_ACCESS_DENIED\"} ";
  EXPECT_THAT(metrics_.Text(), HasSubstr(denied + "0\n"));
  metrics_.OperationEnded("AttachVolume", absl::OkStatus(), absl::ZeroDuration(),
                          {.record_error = Failed(Reason::kKeyAccessDenied), .key_manager = "barbican"});
  metrics_.OperationEnded("AttachVolume", absl::OkStatus(), absl::ZeroDuration(),
                          {.record_error = NotHeld("no records"), .key_manager = "fixed"});
  EXPECT_THAT(metrics_.Text(), HasSubstr(denied + "1\n"));
  EXPECT_THAT(metrics_.Text(),
              HasSubstr("volcrypt_first_use_record_failures_total{key_manager=\"fixed\",reason=\"NOT_HELD\"} 1\n"));
}

TEST_F(MetricsTest, RecordsThatFailForAnyReasonOfAKeyManagerCountFromTheStart) {
  for (const char* const reason :
       {"KEY_ACCESS_DENIED", "KEY_MANAGER_UNAVAILABLE", "KEY_MANAGER_TIMED_OUT", "KEY_NOT_FOUND", "KEY_UNFIT",
        "INVALID_KEY_ID", "INVALID_FIELD", "INVALID_VOLUME_ID", "CALLER_TOKEN_REJECTED", "OUT_OF_MEMORY"}) {
    const std::string series =
        std::string("volcrypt_first_use_record_failures_total{key_manager=\"local\",reason=\"") + reason + "\"} ";
    EXPECT_THAT(metrics_.Text(), HasSubstr(series + "0\n"));
    metrics_.OperationEnded("AttachVolume", absl::OkStatus(), absl::ZeroDuration(),
                            {.record_error = Failed(*ParseReason(reason)), .key_manager = "local"});
    EXPECT_THAT(metrics_.Text(), HasSubstr(series + "1\n"));
  }
}

TEST_F(MetricsTest, KeyCallsCountByKeyManagerCallCodeAndReason) {
  metrics_.KeyCallEnded("barbican", "get", absl::OkStatus(), absl::Milliseconds(30));
  metrics_.KeyCallEnded("barbican", "get", Failed(Reason::kKeyNotFound), absl::Milliseconds(30));
  metrics_.KeyCallEnded("fixed", "record_first_use", NotHeld("no records"), absl::ZeroDuration());
  const std::string text = metrics_.Text();
  const std::string calls = "volcrypt_key_manager_calls_total{call=\"";
  EXPECT_THAT(text, HasSubstr(calls + "get\",code=\"OK\",key_manager=\"barbican\",reason=\"OK\"} 1\n"));
  EXPECT_THAT(text, HasSubstr(calls + "get\",code=\"FAILED_PRECONDITION\",key_manager=\"barbican\","
                                      "reason=\"KEY_NOT_FOUND\"} 1\n"));
  EXPECT_THAT(text, HasSubstr(calls + "record_first_use\",code=\"UNIMPLEMENTED\",key_manager=\"fixed\","
                                      "reason=\"NOT_HELD\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("volcrypt_key_manager_call_duration_seconds_bucket{call=\"get\",code=\"OK\","
                              "key_manager=\"barbican\",le=\"0.05\"} 1\n"));
}

TEST_F(MetricsTest, KeyManagerIsUpOrDownAsItsLastCallTold) {
  const std::string up = "volcrypt_key_manager_up{key_manager=\"kmip\"} ";
  EXPECT_THAT(metrics_.Text(), Not(HasSubstr(up)));
  const std::vector<std::pair<absl::Status, std::string>> cases = {
      {absl::OkStatus(), "1"},
      {Failed(Reason::kKeyManagerUnavailable), "0"},
      {Failed(Reason::kInvalidKeyId), "0"},  // nobody was asked
      {NotHeld("no records"), "0"},
      {Failed(Reason::kKeyNotFound), "1"},
      {Failed(Reason::kKeyManagerTimedOut), "0"},
      {Failed(Reason::kKeyAccessDenied), "1"}};
  for (const auto& [outcome, value] : cases) {
    metrics_.KeyCallEnded("kmip", "get", outcome, absl::ZeroDuration());
    EXPECT_THAT(metrics_.Text(), HasSubstr(up + value + "\n")) << outcome;
  }
}

TEST_F(MetricsTest, WorkersAreBusyUntilTheyEnd) {
  metrics_.WorkerBegan();
  metrics_.WorkerBegan();
  EXPECT_THAT(metrics_.Text(), HasSubstr("volcrypt_workers_busy 2\n"));
  metrics_.WorkerEnded("attach", absl::OkStatus(), absl::Milliseconds(7));
  EXPECT_THAT(metrics_.Text(), HasSubstr("volcrypt_workers_busy 1\n"));
  EXPECT_THAT(metrics_.Text(), HasSubstr("volcrypt_worker_duration_seconds_count{code=\"OK\",verb=\"attach\"} 1\n"));
}

TEST_F(MetricsTest, WorkersThatOutliveTheirDeadlineAndThatFailAreCountedApart) {
  EXPECT_THAT(metrics_.Text(), HasSubstr("volcrypt_workers_timed_out_total 0\n"));
  EXPECT_THAT(metrics_.Text(), HasSubstr("volcrypt_workers_failed_total 0\n"));
  metrics_.WorkerBegan();
  metrics_.WorkerEnded("detach", Failed(Reason::kDeviceTimedOut), absl::Seconds(60));
  EXPECT_THAT(metrics_.Text(), HasSubstr("volcrypt_workers_timed_out_total 1\n"));
  EXPECT_THAT(metrics_.Text(), HasSubstr("volcrypt_workers_failed_total 0\n"));
  metrics_.WorkerBegan();
  metrics_.WorkerEnded("detach", Failed(Reason::kWorkerFailed), absl::Seconds(1));
  EXPECT_THAT(metrics_.Text(), HasSubstr("volcrypt_workers_timed_out_total 1\n"));
  EXPECT_THAT(metrics_.Text(), HasSubstr("volcrypt_workers_failed_total 1\n"));
}

TEST_F(MetricsTest, WorkersAreStuckUntilTheyEnd) {
  EXPECT_THAT(metrics_.Text(), HasSubstr("volcrypt_workers_stuck 0\n"));
  std::array<int, 2> ends = {};
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()), 0);
  left_workers_.Add(UniqueFd(ends[0]));
  EXPECT_THAT(metrics_.Text(), HasSubstr("volcrypt_workers_stuck 1\n"));
  close(ends[1]);
  EXPECT_THAT(metrics_.Text(), HasSubstr("volcrypt_workers_stuck 0\n"));
}

TEST_F(MetricsTest, LinesThatTheAuditLacksAreCountedFromTheStart) {
  EXPECT_THAT(metrics_.Text(), HasSubstr("volcrypt_audit_failures_total 0\n"));
  metrics_.AuditFailed();
  EXPECT_THAT(metrics_.Text(), HasSubstr("volcrypt_audit_failures_total 1\n"));
}

TEST_F(MetricsTest, VolumesThatWaitAreCountedApart) {
  pending_volumes_.SetWaiting({{"vol-1", {}}, {"vol-2", {}}, {"vol-3", {}}});
  const PendingVolumes::Making making(pending_volumes_, "vol-2");
  ShowInSysfs("vol-2");
  ShowInSysfs("vol-3");
  EXPECT_THAT(metrics_.Text(), HasSubstr("volcrypt_attached_volumes{state=\"waiting\"} 2\n"));
  EXPECT_THAT(metrics_.Text(), HasSubstr("volcrypt_attached_volumes{state=\"active\"} 1\n"));
}

TEST_F(MetricsTest, HelperIsUpUntilItIsSeenAway) {
  EXPECT_THAT(metrics_.Text(), HasSubstr("volcrypt_helper_up 1\n"));
  metrics_.HelperSeen(false);
  EXPECT_THAT(metrics_.Text(), HasSubstr("volcrypt_helper_up 0\n"));
}

TEST_F(MetricsTest, SlotsAndMappingsAreReadWhenSomebodyAsks) {
  ShowInSysfs("vol-1");
  ShowInSysfs("vol-2");
  sysfs_.Write("block/dm-1/dm/suspended", "1\n");
  const auto slot = slots_.Take(absl::InfinitePast());
  const std::string text = metrics_.Text();
  EXPECT_THAT(text, HasSubstr("volcrypt_operations_running 1\n"));
  EXPECT_THAT(text, HasSubstr("volcrypt_operations_waiting 0\n"));
  EXPECT_THAT(text, HasSubstr("volcrypt_operations_limit 4\n"));
  EXPECT_THAT(text, HasSubstr("volcrypt_attached_volumes{state=\"active\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("volcrypt_attached_volumes{state=\"suspended\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("volcrypt_attached_volumes{state=\"broken\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("volcrypt_build_info{version=\"" VOLCRYPT_VERSION "\"} 1\n"));
}

TEST_F(MetricsTest, MappingsAreReadAnewOnceTheyAreOld) {
  AttachedVolumes attached(mappings_, pending_volumes_);
  const absl::Time now = absl::Now();
  EXPECT_EQ(attached.Read(now).active, 0U);
  ShowInSysfs("vol-1");
  EXPECT_EQ(attached.Read(now + AttachedVolumes::kKeptFor - absl::Milliseconds(1)).active, 0U);
  EXPECT_EQ(attached.Read(now + AttachedVolumes::kKeptFor).active, 1U);
}

TEST_F(MetricsTest, MappingsAreReadAnewWhenTheClockWasSetBack) {
  AttachedVolumes attached(mappings_, pending_volumes_);
  const absl::Time now = absl::Now();
  EXPECT_EQ(attached.Read(now).active, 0U);
  ShowInSysfs("vol-1");
  EXPECT_EQ(attached.Read(now - absl::Hours(1)).active, 1U);
}

// One series more for each volume would be the end of a Prometheus that watches a cloud.
TEST_F(MetricsTest, NothingOfARequestBecomesALabel) {
  for (int i = 0; i < kReasonCount; ++i) {
    const absl::Status outcome = Failed(static_cast<Reason>(i));
    metrics_.OperationEnded("AttachVolume", outcome, absl::ZeroDuration(), {});
    metrics_.KeyCallEnded("local", "get", outcome, absl::ZeroDuration());
    metrics_.WorkerEnded("attach", outcome, absl::ZeroDuration());
  }
  EXPECT_THAT(metrics_.Text(), Not(HasSubstr("vol-1")));
  EXPECT_THAT(metrics_.Text(), Not(HasSubstr("key-1")));
}

TEST_F(MetricsTest, IsServedAtTheAddress) {
  const ReservedPort reserved;
  const uint16_t port = reserved.Number();
  ASSERT_TRUE(metrics_.Listen("127.0.0.1:" + std::to_string(port)).ok());
  const std::string answer = HttpGet(port, "/metrics");
  EXPECT_THAT(answer, HasSubstr(" 200 "));
  EXPECT_THAT(answer, HasSubstr("Content-Type: text/plain"));
  EXPECT_THAT(answer, HasSubstr("# TYPE volcrypt_operations_running gauge\n"));
  EXPECT_THAT(HttpGet(port, "/etc/passwd"), Not(HasSubstr(" 200 ")));
}

// How long the end of a server takes that has half a request.
absl::Duration TimeToEnd(std::unique_ptr<Metrics> metrics, uint16_t port) {
  const UniqueFd slow = SentTo(port, "GET /metrics HTTP/1.0\r\nHost: ");
  EXPECT_TRUE(slow.IsValid());
  EXPECT_NE(HttpGet(port, "/metrics"), "");  // which is behind the other in the queue
  const absl::Time begin = absl::Now();
  metrics.reset();
  return absl::Now() - begin;
}

TEST_F(MetricsTest, ServerEndsWithoutWaitingForAnybody) {
  absl::Duration shortest = absl::InfiniteDuration();
  // The rest of a request is waited for five seconds. A busy machine may need as long for other reasons, but not
  // always.
  for (int i = 0; i < 3 && shortest > absl::Seconds(4); ++i) {
    const ReservedPort reserved;
    auto metrics = std::make_unique<Metrics>(Metrics::Sources{
        .mappings = mappings_, .slots = slots_, .left_workers = left_workers_, .pending_volumes = pending_volumes_});
    ASSERT_TRUE(metrics->Listen("127.0.0.1:" + std::to_string(reserved.Number())).ok());
    shortest = std::min(shortest, TimeToEnd(std::move(metrics), reserved.Number()));
    EXPECT_EQ(HttpGet(reserved.Number(), "/metrics"), "");
  }
  EXPECT_LT(shortest, absl::Seconds(4));
}

TEST_F(MetricsTest, AddressThatIsTakenIsNamedInTheError) {
  const TakenPort taken;
  const std::string address = "127.0.0.1:" + std::to_string(taken.Number());
  const absl::Status listening = metrics_.Listen(address);
  EXPECT_FALSE(listening.ok());
  EXPECT_THAT(std::string(listening.message()), HasSubstr(address));
  EXPECT_THAT(std::string(listening.message()), HasSubstr("Address already in use"));
}

TEST_F(MetricsTest, AddressOutsideTheHostIsRefused) {
  const ReservedPort reserved;
  EXPECT_FALSE(metrics_.Listen("0.0.0.0:" + std::to_string(reserved.Number())).ok());
}

TEST_F(MetricsTest, CountsStayRightWhenManyCountAndAsk) {
  constexpr int kThreads = 4;
  constexpr int kEach = 500;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([this] {
      for (int j = 0; j < kEach; ++j) {
        metrics_.OperationEnded("GetInfo", absl::OkStatus(), absl::ZeroDuration(), {});
        metrics_.KeyCallEnded("local", "get", absl::OkStatus(), absl::ZeroDuration());
        if (j % 100 == 0) static_cast<void>(metrics_.Text());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(metrics_.Text(), HasSubstr("{code=\"OK\",reason=\"OK\",verb=\"GetInfo\"} 2000\n"));
}

}  // namespace
}  // namespace volcrypt
