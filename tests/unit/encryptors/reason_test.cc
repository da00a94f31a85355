#include "encryptors/reason.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

namespace volcrypt {
namespace {

using testing::HasSubstr;

// The published table, written once more by hand: callers program against these names and codes.
const std::map<std::string, absl::StatusCode>& PublishedTable() {
  using Code = absl::StatusCode;
  static const auto& table = *new std::map<std::string, absl::StatusCode>{
      {"INVALID_FIELD", Code::kInvalidArgument},
      {"INVALID_VOLUME_ID", Code::kInvalidArgument},
      {"INVALID_KEY_ID", Code::kInvalidArgument},
      {"DEVICE_NOT_ALLOWED", Code::kInvalidArgument},
      {"UNSUPPORTED_ENCRYPTION", Code::kInvalidArgument},
      {"UNKNOWN_KEY_MANAGER", Code::kInvalidArgument},
      {"KEY_REQUIRED", Code::kInvalidArgument},
      {"DEVICE_NOT_FOUND", Code::kNotFound},
      {"NOT_ATTACHED", Code::kNotFound},
      {"ATTACHED_DIFFERENTLY", Code::kAlreadyExists},
      {"DEVICE_IN_USE", Code::kFailedPrecondition},
      {"MAPPING_IN_USE", Code::kFailedPrecondition},
      {"VOLUME_NOT_FORMATTED", Code::kFailedPrecondition},
      {"DEVICE_NOT_BLANK", Code::kFailedPrecondition},
      {"HEADER_DAMAGED", Code::kFailedPrecondition},
      {"VOLUME_HEADER_LOST", Code::kFailedPrecondition},
      {"FORMAT_INCOMPLETE", Code::kFailedPrecondition},
      {"VOLUME_ERASED", Code::kFailedPrecondition},
      {"HEADER_MISMATCH", Code::kFailedPrecondition},
      {"HEADER_REFUSED", Code::kFailedPrecondition},
      {"DEVICE_TOO_SMALL", Code::kFailedPrecondition},
      {"DEVICE_READ_ONLY", Code::kFailedPrecondition},
      {"STATE_NOT_WRITABLE", Code::kFailedPrecondition},
      {"KERNEL_UNSUPPORTED", Code::kFailedPrecondition},
      {"KEY_NOT_FOUND", Code::kFailedPrecondition},
      {"KEY_ACCESS_DENIED", Code::kFailedPrecondition},
      {"KEY_REJECTED", Code::kFailedPrecondition},
      {"KEY_UNFIT", Code::kFailedPrecondition},
      {"KEY_IN_USE", Code::kFailedPrecondition},
      {"KEY_MANAGER_UNAVAILABLE", Code::kUnavailable},
      {"LIBVIRT_UNAVAILABLE", Code::kUnavailable},
      {"HELPER_UNAVAILABLE", Code::kUnavailable},
      {"DRAINING", Code::kUnavailable},
      {"DEVICE_IO_ERROR", Code::kUnavailable},
      {"OPERATION_IN_PROGRESS", Code::kAborted},
      {"TOO_MANY_OPERATIONS", Code::kResourceExhausted},
      {"OUT_OF_MEMORY", Code::kResourceExhausted},
      {"DEVICE_TIMED_OUT", Code::kDeadlineExceeded},
      {"KEY_MANAGER_TIMED_OUT", Code::kDeadlineExceeded},
      {"CALLER_TOKEN_REJECTED", Code::kUnauthenticated},
      {"CALLER_UNKNOWN", Code::kUnauthenticated},
      {"CALLER_NOT_ALLOWED", Code::kPermissionDenied},
      {"WORKER_FAILED", Code::kInternal},
  };
  return table;
}

TEST(Reason, EveryReasonHasItsPublishedNameAndCode) {
  std::map<std::string, absl::StatusCode> found;
  for (int i = 0; i < kReasonCount; ++i) {
    const auto reason = static_cast<Reason>(i);
    found[std::string(ReasonName(reason))] = ReasonCode(reason);
  }
  EXPECT_EQ(found, PublishedTable());
}

TEST(Reason, EveryNameReadsBack) {
  for (int i = 0; i < kReasonCount; ++i) {
    const auto reason = static_cast<Reason>(i);
    EXPECT_EQ(ParseReason(ReasonName(reason)), reason);
  }
}

TEST(Reason, UnknownNamesAreNoReason) {
  for (const char* const name : {"", "device_in_use", "DEVICE_IN_USE ", "OK"}) {
    EXPECT_EQ(ParseReason(name), std::nullopt) << name;
  }
}

TEST(Reason, ErrorCarriesReasonMessageAndMetadata) {
  const absl::Status error = MakeError(Reason::kDeviceInUse, "in use by md0", {{"device", "/dev/vdb"}, {"by", "md0"}});
  EXPECT_EQ(error.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(error.message(), "in use by md0");
  EXPECT_EQ(ReasonOf(error), Reason::kDeviceInUse);
  EXPECT_TRUE(HasReason(error, Reason::kDeviceInUse));
  EXPECT_FALSE(HasReason(error, Reason::kMappingInUse));
  EXPECT_EQ(MetadataOf(error), (ErrorMetadata{{"device", "/dev/vdb"}, {"by", "md0"}}));
}

TEST(Reason, OtherStatusesHaveNone) {
  EXPECT_EQ(ReasonOf(absl::OkStatus()), std::nullopt);
  EXPECT_EQ(ReasonOf(absl::InternalError("another library's")), std::nullopt);
  EXPECT_TRUE(MetadataOf(absl::InternalError("another library's")).empty());
}

TEST(Reason, LongMessageIsCutBetweenCharacters) {
  std::string message(kMaxErrorMessageBytes - 1, 'x');
  message += "\xE2\x82\xAC and more";
  EXPECT_EQ(MakeError(Reason::kWorkerFailed, message).message(), std::string(kMaxErrorMessageBytes - 1, 'x'));
}

TEST(Reason, MessageOfTheLargestSizeStaysWhole) {
  const std::string message(kMaxErrorMessageBytes, 'x');
  EXPECT_EQ(MakeError(Reason::kWorkerFailed, message).message(), message);
}

// What is decided by must not depend on how long a path is.
TEST(Reason, LongMetadataTakesNoShortOnesPlace) {
  const absl::Status error = MakeError(Reason::kDeviceIoError, "failed", {{"device", std::string(4000, 'd')}});
  const absl::Status marked = WithMetadata(error, "format_begun", "true");
  EXPECT_TRUE(HasReason(marked, Reason::kDeviceIoError));
  EXPECT_EQ(marked.message(), "failed");
  EXPECT_EQ(MetadataOf(marked)["format_begun"], "true");
  const absl::Status told = WithMetadata(marked, "device_identity", std::string(520, 'i'));
  EXPECT_EQ(MetadataOf(told)["format_begun"], "true");
  EXPECT_EQ(MetadataOf(told)["device_identity"].size(), 520U);
  EXPECT_GT(MetadataOf(told)["device"].size(), 1000U);
  EXPECT_TRUE(WithMetadata(absl::OkStatus(), "format_begun", "true").ok());
}

TEST(Reason, LongMetadataIsCutAndTheReasonStays) {
  const absl::Status error = MakeError(Reason::kInvalidField, "bad",
                                       {{"a", std::string(5000, 'x')}, {"b", "y"}, {std::string(3000, 'k'), "z"}});
  EXPECT_EQ(ReasonOf(error), Reason::kInvalidField);
  size_t size = 0;
  for (const auto& [key, value] : MetadataOf(error)) size += key.size() + value.size();
  EXPECT_GT(size, 0U);
  EXPECT_LE(size, kMaxErrorMetadataBytes);
}

TEST(Reason, BytesThatAreNoTextDoNotLoseTheReason) {
  const absl::Status error = MakeError(Reason::kDeviceNotBlank, "label \xE4", {{"label", "h\xE4user"}});
  EXPECT_EQ(ReasonOf(error), Reason::kDeviceNotBlank);
  EXPECT_EQ(MetadataOf(error), (ErrorMetadata{{"label", "h?user"}}));
  EXPECT_EQ(error.message(), "label ?");
}

TEST(Reason, RollbackErrorIsAddedToTheFirst) {
  const absl::Status first = MakeError(Reason::kKeyRejected, "wrong key", {{"slot", "0"}});
  const absl::Status both = WithRollbackError(first, MakeError(Reason::kMappingInUse, "still open"));
  EXPECT_EQ(ReasonOf(both), Reason::kKeyRejected);
  EXPECT_EQ(MetadataOf(both), (ErrorMetadata{{"slot", "0"}}));
  EXPECT_THAT(std::string(both.message()), testing::AllOf(HasSubstr("wrong key"), HasSubstr("still open")));
}

TEST(Reason, SuccessfulRollbackChangesNothing) {
  const absl::Status first = MakeError(Reason::kKeyRejected, "wrong key");
  EXPECT_EQ(WithRollbackError(first, absl::OkStatus()), first);
}

}  // namespace
}  // namespace volcrypt
