#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <thread>

#include "tests/unit/rpc/held_calls.h"
#include "tests/unit/rpc/rpc_fixture.h"

namespace volcrypt {
namespace {

using ServerLifeTest = RpcTest;

constexpr const char* kEncryptorService = "volcrypt.v1.VolumeEncryptorService";
constexpr const char* kAdminService = "volcrypt.v1.VolumeAdminService";
constexpr const char* kKeyService = "volcrypt.v1.KeyService";
constexpr const char* kAgentService = "volcrypt.v1.AgentService";

TEST_F(ServerLifeTest, EveryServiceIsServing) {
  for (const char* const service : {"", kEncryptorService, kAdminService, kKeyService, kAgentService}) {
    EXPECT_EQ(Health(service), "SERVING") << service;
  }
  EXPECT_EQ(Health("volcrypt.v1.Nothing"), "code 5");
}

TEST_F(ServerLifeTest, WithoutTheHelperOnlyWhatNeedsItIsNotServing) {
  server_->SetHelperPresent(false);
  for (const char* const service : {"", kEncryptorService, kAdminService}) {
    EXPECT_EQ(Health(service), "NOT_SERVING") << service;
  }
  for (const char* const service : {kKeyService, kAgentService}) EXPECT_EQ(Health(service), "SERVING") << service;
  server_->SetHelperPresent(true);
  EXPECT_EQ(Health(kEncryptorService), "SERVING");
}

// The reflection protocol's messages by hand, as gRPC's C++ packages do not have them: field 7 of the request asks for
// the services' names.
TEST_F(ServerLifeTest, ReflectionListsTheServices) {
  grpc::GenericStub stub(channel_);
  grpc::CompletionQueue queue;
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
  const auto call =
      stub.PrepareCall(&context, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", &queue);
  const auto done = [&queue] {
    void* tag = nullptr;
    bool ok = false;
    return queue.Next(&tag, &ok) && ok;
  };
  call->StartCall(nullptr);
  ASSERT_TRUE(done());
  const grpc::Slice list_services(std::string("\x3a\x01*"));
  call->Write(grpc::ByteBuffer(&list_services, 1), nullptr);
  ASSERT_TRUE(done());
  grpc::ByteBuffer answer;
  call->Read(&answer, nullptr);
  ASSERT_TRUE(done());
  grpc::Slice text;
  ASSERT_TRUE(answer.DumpToSingleSlice(&text).ok());
  const std::string names(reinterpret_cast<const char*>(text.begin()), text.size());
  for (const char* const service : {kEncryptorService, kAdminService, kKeyService, kAgentService}) {
    EXPECT_NE(names.find(service), std::string::npos) << service;
  }
  call->WritesDone(nullptr);
  ASSERT_TRUE(done());
  grpc::Status status;
  call->Finish(&status, nullptr);
  EXPECT_TRUE(done());
}

TEST_F(ServerLifeTest, ShutdownLetsRunningOperationsFinishAndRefusesOthers) {
  HeldCalls held(encryptor_);
  held.Start(channel_, 2);
  std::thread shutdown([this] { EXPECT_TRUE(server_->Shutdown(absl::Now() + absl::Seconds(60))); });
  ASSERT_TRUE(Eventually([this] { return !std::filesystem::exists(socket_path_); }));

  const UniqueFd refused = ConnectAs(socket_path_, {});
  EXPECT_FALSE(refused.IsValid());
  EXPECT_TRUE(Eventually([this] { return GetInfo(channel_).error_code() == grpc::StatusCode::UNAVAILABLE; }));
  EXPECT_EQ(held.EndedWell(), 0);
  held.Release();
  EXPECT_EQ(held.EndedWell(), 2);
  shutdown.join();
}

TEST_F(ServerLifeTest, HealthIsNotServingWhileOperationsFinish) {
  HeldCalls held(encryptor_);
  held.Start(channel_, 1);
  std::thread shutdown([this] { server_->Shutdown(absl::Now() + absl::Seconds(60)); });
  ASSERT_TRUE(Eventually([this] { return !std::filesystem::exists(socket_path_); }));
  for (const char* const service : {"", kEncryptorService, kKeyService}) EXPECT_EQ(Health(service), "NOT_SERVING");
  held.Release();
  shutdown.join();
}

TEST_F(ServerLifeTest, ShutdownGivesUpOnOperationsThatDoNotEnd) {
  HeldCalls held(encryptor_);
  held.Start(channel_, 1);
  EXPECT_FALSE(server_->Shutdown(absl::Now() + absl::Milliseconds(50)));
  held.Release();
  EXPECT_TRUE(server_->Shutdown(absl::Now() + absl::Seconds(60)));
}

TEST_F(ServerLifeTest, WatchersOfHealthDoNotKeepItFromEnding) {
  grpc::ClientContext context;
  grpc::health::v1::HealthCheckResponse response;
  const auto watch = grpc::health::v1::Health::NewStub(channel_)->Watch(&context, {});
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), grpc::health::v1::HealthCheckResponse::SERVING);
  const absl::Time start = absl::Now();
  EXPECT_TRUE(server_->Shutdown(start + absl::Seconds(60)));
  EXPECT_LT(absl::Now() - start, absl::Seconds(30));
  while (watch->Read(&response)) EXPECT_EQ(response.status(), grpc::health::v1::HealthCheckResponse::NOT_SERVING);
  EXPECT_FALSE(watch->Finish().ok());
}

TEST_F(ServerLifeTest, ClientsThatSayNothingSensibleHarmNobody) {
  std::vector<UniqueFd> silent;
  for (int i = 0; i < 20; ++i) silent.push_back(ConnectAs(socket_path_, {}));
  const UniqueFd garbled = ConnectAs(socket_path_, {});
  const std::string noise(4096, '\x55');
  EXPECT_GT(send(garbled.Get(), noise.data(), noise.size(), MSG_NOSIGNAL), 0);
  EXPECT_EQ(RpcOutcome(Detach(kVolume)), "OK");
}

}  // namespace
}  // namespace volcrypt
