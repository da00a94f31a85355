#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "agent/rpc/self_call.h"
#include "tests/unit/rpc/held_calls.h"
#include "tests/unit/rpc/rpc_fixture.h"

namespace volcrypt {
namespace {

using SelfCallTest = RpcTest;

constexpr absl::Duration kPatience = absl::Seconds(60);

TEST_F(SelfCallTest, IsAnswered) {
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(server_->CallSelf(kPatience).ok());
}

TEST_F(SelfCallTest, IsNeitherLoggedNorCounted) {
  log_.SetLevel(LogLevel::kDebug);
  ASSERT_TRUE(server_->CallSelf(kPatience).ok());
  EXPECT_EQ(LogText(), "");
  EXPECT_TRUE(observer_.Take().empty());
  // What anybody else asks is.
  ASSERT_TRUE(GetInfo(channel_).ok());
  EXPECT_TRUE(Eventually([this] { return !observer_.Take().empty(); }));
  EXPECT_NE(LogText(), "");
}

TEST_F(SelfCallTest, IsAnsweredWhileOperationsHang) {
  HeldCalls held(encryptor_);
  held.Start(channel_, 4);
  EXPECT_TRUE(server_->CallSelf(kPatience).ok());
  held.Release();
}

TEST_F(SelfCallTest, IsAnsweredThoughAllConnectionsAreTaken) {
  server_.reset();
  options_.max_connections = 2;
  Serve();
  std::vector<UniqueFd> connections;
  for (size_t i = 0; i < 8 + Peers::kRoomForAdmins; ++i) connections.push_back(ConnectAs(socket_path_, {}));
  ASSERT_TRUE(Eventually([this] { return LogText().find("connection refused") != std::string::npos; }));
  EXPECT_TRUE(server_->CallSelf(kPatience).ok());
}

TEST_F(SelfCallTest, FailsOnceTheServerHasStopped) {
  ASSERT_TRUE(server_->Shutdown(absl::Now() + kPatience));
  EXPECT_FALSE(server_->CallSelf(absl::Seconds(5)).ok());
}

TEST_F(SelfCallTest, EndsInTimeWhenNobodyAnswers) {
  absl::StatusOr<SelfConnection> connection = NewSelfConnection();
  ASSERT_TRUE(connection.ok());
  const absl::Time start = absl::Now();
  const absl::Status status = CallOver(std::move(connection->client_end), absl::Milliseconds(300));
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded) << status;
  EXPECT_LT(absl::Now() - start, absl::Seconds(30));
}

}  // namespace
}  // namespace volcrypt
