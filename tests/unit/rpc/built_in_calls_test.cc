#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <list>

#include "tests/unit/rpc/raw_call.h"
#include "tests/unit/rpc/rpc_fixture.h"

namespace volcrypt {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr char kCheck[] = "/grpc.health.v1.Health/Check";
constexpr char kWatch[] = "/grpc.health.v1.Health/Watch";
constexpr char kReflect[] = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";
// HealthCheckRequest of the server as a whole; ServerReflectionRequest.list_services.
constexpr char kWhole[] = "";
constexpr char kListServices[] = "\x3a\x01*";

// What gRPC answers by itself, with the access table in front.
class BuiltInCallsTest : public RpcTest {
 protected:
  BuiltInCallsTest() {
    access_.Set(std::make_shared<const AccessRules>(
        std::vector<AccessConfig>{{.role = Role::kCompute, .users = {"4001"}, .groups = {}, .certificate_names = {}}},
        0));
  }
  static std::string RequestFor(const std::string& method) { return method == kReflect ? kListServices : kWhole; }

  const Identity compute_{.uid = 4001, .gid = 4001, .groups = {}};
  const Identity unknown_{.uid = 4002, .gid = 4002, .groups = {}};
};

TEST_F(BuiltInCallsTest, AreForEveryKnownCaller) {
  for (const std::string method : {kCheck, kWatch, kReflect}) {
    RawCall call(ChannelAs(compute_), method);
    call.Write(RequestFor(method));
    EXPECT_TRUE(call.Read()) << method;
    call.Cancel();
    call.Finish();
  }
}

TEST_F(BuiltInCallsTest, AreForNobodyElse) {
  for (const std::string method : {kCheck, kWatch, kReflect}) {
    RawCall call(ChannelAs(unknown_), method);
    // Without their only request the server does not look at the calls of health at all.
    if (method != kReflect) call.Write(kWhole);
    EXPECT_FALSE(call.Read()) << method;
    const grpc::Status status = call.Finish();
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAUTHENTICATED) << method;
    EXPECT_THAT(status.error_message(), HasSubstr("the caller has no role")) << method;
  }
  EXPECT_THAT(observer_.Take(), ElementsAre("operation Check CALLER_UNKNOWN", "operation Watch CALLER_UNKNOWN",
                                            "operation ServerReflectionInfo CALLER_UNKNOWN"));
  EXPECT_THAT(LogText(), HasSubstr("warning Watch reason=CALLER_UNKNOWN"));
  EXPECT_THAT(LogText(), HasSubstr("uid=4002"));
}

TEST_F(BuiltInCallsTest, FollowTheRulesAsTheyAreReplaced) {
  const auto channel = ChannelAs(compute_);
  access_.Set(std::make_shared<const AccessRules>(std::vector<AccessConfig>{}, 0));
  RawCall call(channel, kReflect);
  EXPECT_EQ(call.Finish().error_code(), grpc::StatusCode::UNAUTHENTICATED);
}

// Reflection holds a thread for as long as the caller wants.
TEST_F(BuiltInCallsTest, OneCallerCannotTakeTheThreadsOfAllOthers) {
  constexpr size_t kMost = 32;
  const auto channel = ChannelAs(compute_);
  std::list<RawCall> held;
  for (size_t i = 0; i < kMost; ++i) {
    held.emplace_back(channel, kReflect);
    held.back().Write(kListServices);
    ASSERT_TRUE(held.back().Read()) << i;
  }
  RawCall refused(channel, kReflect);
  EXPECT_EQ(refused.Finish().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(RpcOutcome(GetInfo(channel)), "OK");
  EXPECT_EQ(Health(""), "SERVING") << "another caller";
  for (RawCall& call : held) EXPECT_TRUE(call.Finish().ok());
  EXPECT_TRUE(Eventually([&] {
    RawCall again(channel, kReflect);
    return again.Finish().ok();
  })) << "what has ended makes room";
}

TEST_F(BuiltInCallsTest, CallersWithoutARoleLeaveTheThreadsToOthers) {
  const auto channel = ChannelAs(unknown_);
  std::list<RawCall> calls;
  for (int i = 0; i < 200; ++i) calls.emplace_back(channel, kReflect);
  EXPECT_EQ(RpcOutcome(GetInfo(channel_)), "OK");
  for (RawCall& call : calls) EXPECT_EQ(call.Finish().error_code(), grpc::StatusCode::UNAUTHENTICATED);
}

}  // namespace
}  // namespace volcrypt
