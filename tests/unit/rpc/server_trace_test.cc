// The name of a request, from the call's metadata to key manager, log and answer.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "agent/rpc/trace_of.h"
#include "tests/unit/rpc/rpc_fixture.h"

namespace volcrypt {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr char kTraceparent[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

class ServerTraceTest : public RpcTest {
 protected:
  // The request id in the answer.
  std::string AttachWith(const std::string& device, const std::vector<std::pair<std::string, std::string>>& metadata) {
    v1::AttachVolumeRequest request;
    request.set_volume_id(kVolume);
    request.set_device(device);
    request.mutable_key()->set_key_id(kKey);
    const auto context = Patient();
    for (const auto& [name, value] : metadata) context->AddMetadata(name, value);
    v1::AttachVolumeResponse response;
    outcome_ =
        RpcOutcome(v1::VolumeEncryptorService::NewStub(channel_)->AttachVolume(context.get(), request, &response));
    const auto& answered = context->GetServerTrailingMetadata();
    const auto found = answered.find(kRequestIdMetadata);
    return found == answered.end() ? "none" : std::string(found->second.data(), found->second.size());
  }

  std::string outcome_;
};

TEST_F(ServerTraceTest, CallersNamesAreInLogAnswerAndRequestsToTheKeyManager) {
  EXPECT_EQ(AttachWith(kFormatted, {{"x-openstack-request-id", "req-1"}, {"traceparent", kTraceparent}}), "req-1");
  ASSERT_EQ(outcome_, "OK");
  EXPECT_THAT(LogText(), HasSubstr(std::string(" request_id=req-1 traceparent=") + kTraceparent + "\n"));
  ASSERT_FALSE(keys_->traces.empty());
  for (const RequestTrace& trace : keys_->traces) {
    EXPECT_EQ(trace.request_id, "req-1");
    EXPECT_EQ(trace.traceparent, kTraceparent);
  }
}

TEST_F(ServerTraceTest, CallWithoutANameGetsOneAlsoWhenItFails) {
  const std::string id = AttachWith("/dev/none", {});
  EXPECT_EQ(outcome_, "DEVICE_NOT_FOUND");
  EXPECT_THAT(id, StartsWith("req-"));
  EXPECT_THAT(LogText(), HasSubstr(" request_id=" + id + " error="));
  EXPECT_THAT(LogText(), Not(HasSubstr("traceparent")));
}

}  // namespace
}  // namespace volcrypt
