#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "tests/unit/rpc/held_calls.h"
#include "tests/unit/rpc/rpc_fixture.h"

namespace volcrypt {
namespace {

using ServerAccessTest = RpcTest;

std::shared_ptr<const AccessRules> Rules(const std::vector<AccessConfig>& access) {
  return std::make_shared<const AccessRules>(access, 0);
}

TEST_F(ServerAccessTest, UserThatNoRuleNamesIsUnknown) {
  access_.Set(Rules({{.role = Role::kAdmin, .users = {"4001"}, .groups = {}, .certificate_names = {}}}));
  const grpc::Status status = GetInfo(ChannelAs({.uid = 4002, .gid = 4002, .groups = {}}));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(ErrorInfoOf(status).reason(), "CALLER_UNKNOWN");
  EXPECT_NE(LogText().find("warning GetInfo reason=CALLER_UNKNOWN"), std::string::npos);
  EXPECT_NE(LogText().find("uid=4002"), std::string::npos);
}

TEST_F(ServerAccessTest, ComputeServiceMayNotManageKeys) {
  access_.Set(Rules({{.role = Role::kCompute, .users = {"4001"}, .groups = {}, .certificate_names = {}}}));
  const auto channel = ChannelAs({.uid = 4001, .gid = 4001, .groups = {}});
  EXPECT_EQ(RpcOutcome(GetInfo(channel)), "OK");
  const grpc::Status status = CreateKey(channel);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(ErrorInfoOf(status).reason(), "CALLER_NOT_ALLOWED");
  EXPECT_TRUE(keys_->calls.empty());
  EXPECT_EQ(observer_.Take(), Calls({"operation GetInfo OK", "operation CreateKey CALLER_NOT_ALLOWED"}));
}

TEST_F(ServerAccessTest, AdminMayCallEverything) {
  access_.Set(Rules({{.role = Role::kAdmin, .users = {"4001"}, .groups = {}, .certificate_names = {}}}));
  const auto channel = ChannelAs({.uid = 4001, .gid = 4001, .groups = {}});
  EXPECT_EQ(RpcOutcome(GetInfo(channel)), "OK");
  EXPECT_EQ(RpcOutcome(CreateKey(channel)), "OK");
}

TEST_F(ServerAccessTest, SupplementaryGroupsCount) {
  access_.Set(Rules({{.role = Role::kAdmin, .users = {}, .groups = {"4300"}, .certificate_names = {}}}));
  EXPECT_EQ(RpcOutcome(CreateKey(ChannelAs({.uid = 4001, .gid = 4001, .groups = {4200, 4300}}))), "OK");
  EXPECT_EQ(RpcOutcome(CreateKey(ChannelAs({.uid = 4001, .gid = 4001, .groups = {4200}}))), "CALLER_UNKNOWN");
}

TEST_F(ServerAccessTest, ComputeCallersMustNameTheKeyAndAdminsNeedNot) {
  access_.Set(Rules({{.role = Role::kCompute, .users = {"4001"}, .groups = {}, .certificate_names = {}}}));
  v1::AttachVolumeRequest request;
  request.set_volume_id(kVolume);
  request.set_device(kFormatted);
  v1::AttachVolumeResponse response;
  const auto compute = v1::VolumeEncryptorService::NewStub(ChannelAs({.uid = 4001, .gid = 4001, .groups = {}}));
  EXPECT_EQ(RpcOutcome(compute->AttachVolume(Patient().get(), request, &response)), "KEY_REQUIRED");
  const auto admin = v1::VolumeEncryptorService::NewStub(channel_);
  EXPECT_EQ(RpcOutcome(admin->AttachVolume(Patient().get(), request, &response)), "OK");
}

TEST_F(ServerAccessTest, RulesThatAreReplacedHoldFromTheNextCall) {
  const auto channel = ChannelAs({.uid = 4001, .gid = 4001, .groups = {}});
  EXPECT_EQ(RpcOutcome(GetInfo(channel)), "CALLER_UNKNOWN");
  access_.Set(Rules({{.role = Role::kCompute, .users = {"4001"}, .groups = {}, .certificate_names = {}}}));
  EXPECT_EQ(RpcOutcome(GetInfo(channel)), "OK");
  access_.Set(Rules({}));
  EXPECT_EQ(RpcOutcome(GetInfo(channel)), "CALLER_UNKNOWN");
}

// Descriptors, by which callers are known, are used again all the time.
TEST_F(ServerAccessTest, CallersThatComeAndGoAreNeverTakenForEachOther) {
  access_.Set(Rules({{.role = Role::kCompute, .users = {"4001"}, .groups = {}, .certificate_names = {}}}));
  for (int i = 0; i < 30; ++i) {
    EXPECT_EQ(RpcOutcome(GetInfo(ChannelAs({.uid = 4001, .gid = 4001, .groups = {}}))), "OK");
    EXPECT_EQ(RpcOutcome(GetInfo(ChannelAs({.uid = 4002, .gid = 4002, .groups = {}}))), "CALLER_UNKNOWN");
  }
}

size_t CountOf(const std::string& text, const std::string& words) {
  size_t count = 0;
  for (size_t at = text.find(words); at != std::string::npos; at = text.find(words, at + 1)) ++count;
  return count;
}

TEST_F(ServerAccessTest, OfACallerThatIsTurnedAwayTheFirstCallsAreToldAndTheOthersCounted) {
  const std::string path = directory_.Path("audit.log");
  ASSERT_TRUE(audit_.File().Open(path).ok());
  const auto channel = ChannelAs({.uid = 4001, .gid = 4001, .groups = {}});
  const int calls = 25;
  for (int i = 0; i < calls; ++i) EXPECT_EQ(RpcOutcome(GetInfo(channel)), "CALLER_UNKNOWN");
  EXPECT_EQ(RpcOutcome(GetInfo(ChannelAs({.uid = 4002, .gid = 4002, .groups = {}}))), "CALLER_UNKNOWN");
  EXPECT_EQ(observer_.Take().size(), calls + 1U);
  server_.reset();
  std::ostringstream audit;
  audit << std::ifstream(path).rdbuf();
  EXPECT_EQ(CountOf(LogText(), "uid=4001"), BurstLimit::kMost) << LogText();
  EXPECT_EQ(CountOf(audit.str(), "\"uid\":4001"), BurstLimit::kMost) << audit.str();
  EXPECT_EQ(CountOf(LogText(), "uid=4002"), 1U) << "each caller has its own burst";
  EXPECT_EQ(CountOf(LogText(), "further calls of one caller were denied caller=\"uid 4001\" calls=15\n"), 1U)
      << LogText();
  EXPECT_EQ(CountOf(audit.str(), "\"event\":\"left_out\",\"denied_calls\":15,\"of\":\"uid 4001\"}\n"), 1U)
      << audit.str();
}

TEST_F(ServerAccessTest, CallsOfWhoMayCallAreAllTold) {
  for (int i = 0; i < 25; ++i) EXPECT_EQ(RpcOutcome(CreateKey(channel_)), "OK");
  EXPECT_EQ(CountOf(LogText(), "info CreateKey "), 25U);
}

class FewCallsTest : public RpcTest {
 protected:
  FewCallsTest() {
    server_.reset();
    options_.max_calls_per_caller = 2;
    Serve();
  }
};

TEST_F(FewCallsTest, CallerWithItsShareOfCallsIsRefusedAndOthersAreNot) {
  access_.Set(Rules({{.role = Role::kCompute, .users = {"4001"}, .groups = {}, .certificate_names = {}}}));
  const Identity compute = {.uid = 4001, .gid = 4001, .groups = {}};
  HeldCalls held(encryptor_);
  held.Start(ChannelAs(compute), 2);
  const grpc::Status refused = GetInfo(ChannelAs(compute));
  EXPECT_EQ(RpcOutcome(refused), "TOO_MANY_OPERATIONS");
  EXPECT_EQ(ErrorInfoOf(refused).metadata().at("caller"), "uid 4001");
  EXPECT_EQ(RpcOutcome(GetInfo(channel_)), "OK");
  held.Release();
  EXPECT_TRUE(Eventually([&] { return GetInfo(ChannelAs(compute)).ok(); }));
}

class FewConnectionsTest : public RpcTest {
 protected:
  FewConnectionsTest() {
    server_.reset();
    options_.max_connections = 3;
    Serve();
  }
};

TEST_F(FewConnectionsTest, ConnectionsBeyondTheLimitAreClosedAndRoomComesBack) {
  std::vector<UniqueFd> idle;
  for (size_t i = 0; i < 3 + Peers::kRoomForAdmins; ++i) idle.push_back(ConnectAs(socket_path_, {}));
  EXPECT_TRUE(Eventually([&] {
    const UniqueFd refused = ConnectAs(socket_path_, {});
    char byte = 0;
    return recv(refused.Get(), &byte, 1, MSG_DONTWAIT) == 0;
  }));
  EXPECT_NE(LogText().find("warning connection refused"), std::string::npos);
  for (int i = 0; i < 50; ++i) ConnectAs(socket_path_, {});
  EXPECT_TRUE(Eventually([this] { return CountOf(LogText(), "warning connection refused") >= BurstLimit::kMost; }));
  idle.clear();
  EXPECT_TRUE(Eventually([this] { return GetInfo(NewChannel()).ok(); }));
  EXPECT_EQ(CountOf(LogText(), "warning connection refused"), BurstLimit::kMost);
}

}  // namespace
}  // namespace volcrypt
