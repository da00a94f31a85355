#include "agent/rpc/error.h"

#include <gtest/gtest.h>

#include "encryptors/reason.h"
#include "google_rpc/error_details.pb.h"
#include "tests/unit/agent/outcome.h"
#include "tests/unit/rpc/rpc_fixture.h"

namespace volcrypt {
namespace {

TEST(RpcError, EveryReasonKeepsItsCodeNameMessageAndMetadata) {
  for (const Reason reason : AllReasons()) {
    const grpc::Status status = ToRpcStatus(MakeError(reason, "what was found", {{"device", "/dev/sdb"}}));
    EXPECT_EQ(static_cast<int>(status.error_code()), static_cast<int>(ReasonCode(reason))) << ReasonName(reason);
    EXPECT_EQ(status.error_message(), "what was found");
    const google::rpc::ErrorInfo info = ErrorInfoOf(status);
    EXPECT_EQ(info.reason(), ReasonName(reason));
    ASSERT_EQ(info.metadata().size(), 1U);
    EXPECT_EQ(info.metadata().at("device"), "/dev/sdb");
  }
}

TEST(RpcError, OkStaysOk) { EXPECT_TRUE(ToRpcStatus(absl::OkStatus()).ok()); }

TEST(RpcError, ErrorWithoutReasonIsAFaultOfOurs) {
  const grpc::Status status = ToRpcStatus(absl::NotFoundError("row 7"));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INTERNAL);
  EXPECT_EQ(ErrorInfoOf(status).reason(), "WORKER_FAILED");
  EXPECT_EQ(status.error_message(), "row 7");
}

TEST(RpcError, LargestErrorStaysBelowTheLimitAndKeepsItsReason) {
  const grpc::Status status = ToRpcStatus(MakeError(Reason::kDeviceNotBlank, std::string(100'000, 'm'),
                                                    {{"found", std::string(100'000, 'f')}, {"a", "b"}}));
  EXPECT_LT(status.error_message().size() + status.error_details().size(), kMaxRpcErrorBytes);
  EXPECT_EQ(ErrorInfoOf(status).reason(), "DEVICE_NOT_BLANK");
}

TEST(RpcError, ManySmallMetadataStayBelowTheLimitToo) {
  ErrorMetadata metadata;
  for (int i = 0; i < 2000; ++i) metadata[std::to_string(i)] = "";
  const grpc::Status status = ToRpcStatus(MakeError(Reason::kInvalidField, "message", metadata));
  EXPECT_LT(status.error_message().size() + status.error_details().size(), kMaxRpcErrorBytes);
  EXPECT_EQ(ErrorInfoOf(status).reason(), "INVALID_FIELD");
}

TEST(RpcError, BytesThatAreNotTextDoNotLoseTheError) {
  const grpc::Status status = ToRpcStatus(MakeError(Reason::kDeviceNotFound, "no \xff", {{"device", "/dev/\xfe"}}));
  EXPECT_EQ(ErrorInfoOf(status).metadata().at("device"), "/dev/?");
}

}  // namespace
}  // namespace volcrypt
