#include "tools/volcryptctl/exit_status.h"

#include <map>
#include <set>
#include <string>

#include "encryptors/reason.h"
#include "gtest/gtest.h"
#include "tests/unit/tools/fake_agent.h"
#include "tools/volcryptctl/call_error.h"

namespace volcrypt::ctl {
namespace {

// The table of docs/api.md, written down a second time.
const std::map<std::string, int>& Documented() {
  static const std::map<std::string, int> kTable = {{"INVALID_FIELD", 1},
                                                    {"INVALID_VOLUME_ID", 1},
                                                    {"INVALID_KEY_ID", 1},
                                                    {"DEVICE_NOT_ALLOWED", 1},
                                                    {"UNSUPPORTED_ENCRYPTION", 1},
                                                    {"UNKNOWN_KEY_MANAGER", 1},
                                                    {"KEY_REQUIRED", 1},
                                                    {"KEY_NOT_FOUND", 2},
                                                    {"KEY_ACCESS_DENIED", 2},
                                                    {"KEY_REJECTED", 2},
                                                    {"KEY_UNFIT", 2},
                                                    {"DEVICE_NOT_FOUND", 4},
                                                    {"NOT_ATTACHED", 4},
                                                    {"ATTACHED_DIFFERENTLY", 5},
                                                    {"DEVICE_IN_USE", 5},
                                                    {"MAPPING_IN_USE", 5},
                                                    {"KEY_IN_USE", 5},
                                                    {"VOLUME_NOT_FORMATTED", 6},
                                                    {"DEVICE_NOT_BLANK", 6},
                                                    {"HEADER_DAMAGED", 6},
                                                    {"VOLUME_HEADER_LOST", 6},
                                                    {"FORMAT_INCOMPLETE", 6},
                                                    {"VOLUME_ERASED", 6},
                                                    {"HEADER_MISMATCH", 6},
                                                    {"HEADER_REFUSED", 6},
                                                    {"DEVICE_TOO_SMALL", 6},
                                                    {"DEVICE_READ_ONLY", 6},
                                                    {"STATE_NOT_WRITABLE", 6},
                                                    {"KERNEL_UNSUPPORTED", 6},
                                                    {"KEY_MANAGER_UNAVAILABLE", 7},
                                                    {"LIBVIRT_UNAVAILABLE", 7},
                                                    {"HELPER_UNAVAILABLE", 7},
                                                    {"DRAINING", 7},
                                                    {"DEVICE_IO_ERROR", 7},
                                                    {"OPERATION_IN_PROGRESS", 7},
                                                    {"TOO_MANY_OPERATIONS", 7},
                                                    {"OUT_OF_MEMORY", 7},
                                                    {"DEVICE_TIMED_OUT", 8},
                                                    {"KEY_MANAGER_TIMED_OUT", 8},
                                                    {"CALLER_TOKEN_REJECTED", 9},
                                                    {"CALLER_UNKNOWN", 9},
                                                    {"CALLER_NOT_ALLOWED", 9},
                                                    {"WORKER_FAILED", 70}};
  return kTable;
}

TEST(ExitStatusTest, EveryReasonHasItsDocumentedStatus) {
  for (const auto& [reason, status] : Documented()) {
    // UNKNOWN by itself is 70, so that only the reason can lead to the others.
    const absl::Status error = FromRpc(AgentError(grpc::UNKNOWN, reason, "message"));
    EXPECT_EQ(static_cast<int>(ExitStatusOf(error)), status) << reason;
  }
}

TEST(ExitStatusTest, EveryReasonOfTheAgentIsInTheTableOnce) {
  std::set<std::string> rows;
  for (const ReasonExit& row : kReasonExits) EXPECT_TRUE(rows.insert(std::string(row.reason)).second) << row.reason;
  for (int i = 0; i < kReasonCount; ++i) {
    const std::string name(ReasonName(static_cast<Reason>(i)));
    EXPECT_EQ(rows.count(name), 1U) << name;
    EXPECT_EQ(Documented().count(name), 1U) << name;
  }
  // Seven reasons are volcryptctl's own.
  EXPECT_EQ(rows.size(), static_cast<size_t>(kReasonCount) + 7);
}

TEST(ExitStatusTest, WithoutAReasonTheCodeDecides) {
  const std::map<absl::StatusCode, int> codes = {{absl::StatusCode::kOk, 0},
                                                 {absl::StatusCode::kInvalidArgument, 1},
                                                 {absl::StatusCode::kOutOfRange, 1},
                                                 {absl::StatusCode::kNotFound, 4},
                                                 {absl::StatusCode::kAlreadyExists, 5},
                                                 {absl::StatusCode::kFailedPrecondition, 6},
                                                 {absl::StatusCode::kUnavailable, 7},
                                                 {absl::StatusCode::kAborted, 7},
                                                 {absl::StatusCode::kResourceExhausted, 7},
                                                 {absl::StatusCode::kDeadlineExceeded, 8},
                                                 {absl::StatusCode::kCancelled, 8},
                                                 {absl::StatusCode::kPermissionDenied, 9},
                                                 {absl::StatusCode::kUnauthenticated, 9},
                                                 {absl::StatusCode::kInternal, 70},
                                                 {absl::StatusCode::kUnknown, 70},
                                                 {absl::StatusCode::kUnimplemented, 70},
                                                 {absl::StatusCode::kDataLoss, 70}};
  for (const auto& [code, status] : codes) {
    EXPECT_EQ(static_cast<int>(ExitStatusOf(absl::Status(code, "message"))), status) << static_cast<int>(code);
  }
}

TEST(ExitStatusTest, ReasonOfAFutureAgentFallsBackToItsCode) {
  EXPECT_EQ(ExitStatusOf(FromRpc(AgentError(grpc::NOT_FOUND, "NEW_REASON", "message"))), ExitStatus::kNotFound);
}

}  // namespace
}  // namespace volcrypt::ctl
