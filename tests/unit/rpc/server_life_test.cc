#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <future>
#include <optional>
#include <thread>
#include <vector>

#include "tests/unit/rpc/held_calls.h"
#include "tests/unit/rpc/raw_call.h"
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

TEST_F(ServerLifeTest, InMaintenanceNothingNewIsAttachedAndTheRestWorks) {
  const auto agent = v1::AgentService::NewStub(channel_);
  const auto volumes = v1::VolumeEncryptorService::NewStub(channel_);
  const auto set = [&](bool on) {
    v1::SetMaintenanceRequest request;
    request.set_on(on);
    v1::SetMaintenanceResponse response;
    EXPECT_EQ(RpcOutcome(agent->SetMaintenance(Patient().get(), request, &response)), "OK");
    return response.was_on();
  };
  const auto attach = [&](const std::string& volume_id) {
    v1::AttachVolumeRequest request;
    request.set_volume_id(volume_id);
    request.set_device(kFormatted);
    request.mutable_key()->set_key_id("key-1");
    v1::AttachVolumeResponse response;
    return volumes->AttachVolume(Patient().get(), request, &response);
  };
  ASSERT_EQ(RpcOutcome(attach(kVolume)), "OK");
  ShowInSysfs(kVolume);

  EXPECT_FALSE(set(true));
  const grpc::Status refused = attach("vol-2");
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(RpcOutcome(refused), "DRAINING");
  EXPECT_NE(RpcOutcome(attach(kVolume)), "DRAINING") << "it is attached already";
  EXPECT_EQ(Health(""), "NOT_SERVING");
  EXPECT_EQ(Health(kEncryptorService), "NOT_SERVING");
  EXPECT_EQ(Health(kKeyService), "SERVING");
  server_->SetHelperPresent(false);
  server_->SetHelperPresent(true);
  EXPECT_EQ(Health(""), "NOT_SERVING") << "a helper that comes back ends no maintenance";
  v1::GetInfoResponse info;
  EXPECT_EQ(RpcOutcome(agent->GetInfo(Patient().get(), {}, &info)), "OK");
  EXPECT_TRUE(info.maintenance());
  EXPECT_EQ(RpcOutcome(Detach(kVolume)), "OK");

  EXPECT_TRUE(set(true));
  EXPECT_TRUE(set(false));
  EXPECT_EQ(Health(""), "SERVING");
  EXPECT_EQ(RpcOutcome(attach("vol-2")), "OK");
}

TEST_F(ServerLifeTest, ReflectionListsTheServices) {
  RawCall call(channel_, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo");
  call.Write("\x3a\x01*");  // ServerReflectionRequest.list_services
  const std::string names = call.Read().value_or("");
  for (const char* const service : {kEncryptorService, kAdminService, kKeyService, kAgentService}) {
    EXPECT_NE(names.find(service), std::string::npos) << service;
  }
  EXPECT_TRUE(call.Finish().ok());
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

TEST_F(ServerLifeTest, CallersDuringAShutdownSeeNothingButUnavailable) {
  std::vector<std::jthread> callers;
  std::atomic<int> answered = 0;
  std::atomic<int> wrong = 0;
  for (int i = 0; i < 4; ++i) {
    callers.emplace_back([this, &answered, &wrong] {
      const auto channel = NewChannel();
      for (;;) {
        const grpc::Status status = GetInfo(channel);
        if (status.error_code() == grpc::StatusCode::UNAVAILABLE) return;
        ++(status.ok() ? answered : wrong);
        if (!status.ok()) return;
      }
    });
  }
  ASSERT_TRUE(Eventually([&answered] { return answered > 100; }));
  EXPECT_TRUE(server_->Shutdown(absl::Now() + absl::Seconds(60)));
  callers.clear();
  EXPECT_EQ(wrong, 0);
}

TEST_F(ServerLifeTest, ShutdownGivesUpOnOperationsThatDoNotEnd) {
  HeldCalls held(encryptor_);
  held.Start(channel_, 1);
  EXPECT_FALSE(server_->Shutdown(absl::Now() + absl::Milliseconds(50)));
  held.Release();
  EXPECT_TRUE(server_->Shutdown(absl::Now() + absl::Seconds(60)));
}

TEST_F(ServerLifeTest, WatchersOfHealthDoNotKeepItFromEnding) {
  using grpc::health::v1::HealthCheckResponse;
  RawCall watch(channel_, "/grpc.health.v1.Health/Watch");
  watch.Write("");
  HealthCheckResponse response;
  ASSERT_TRUE(response.ParseFromString(watch.Read().value_or("")));
  EXPECT_EQ(response.status(), HealthCheckResponse::SERVING);
  const absl::Time start = absl::Now();
  EXPECT_TRUE(server_->Shutdown(start + absl::Seconds(60)));
  EXPECT_LT(absl::Now() - start, absl::Seconds(30));
  while (const std::optional<std::string> more = watch.Read()) {
    ASSERT_TRUE(response.ParseFromString(*more));
    EXPECT_EQ(response.status(), HealthCheckResponse::NOT_SERVING);
  }
  EXPECT_FALSE(watch.Finish().ok());
}

// Connections on which the server may send five bytes of an answer before somebody begins to read it.
std::shared_ptr<grpc::Channel> SlowReader(const std::string& socket_path) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 5);
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  return grpc::CreateCustomChannel("unix:" + socket_path, grpc::InsecureChannelCredentials(), arguments);
}

TEST_F(ServerLifeTest, ShutdownWaitsUntilAnswersAreWritten) {
  RawCall call(SlowReader(socket_path_), "/volcrypt.v1.AgentService/GetInfo");
  call.Write("");
  ASSERT_TRUE(Eventually([this] { return !observer_.Take().empty(); }));
  std::future<bool> shutdown =
      std::async(std::launch::async, [this] { return server_->Shutdown(absl::Now() + absl::Seconds(60)); });
  EXPECT_EQ(shutdown.wait_for(std::chrono::seconds(1)), std::future_status::timeout);
  v1::GetInfoResponse response;
  EXPECT_TRUE(response.ParseFromString(call.Read().value_or("")));
  EXPECT_NE(response.version(), "");
  EXPECT_TRUE(call.Finish().ok());
  EXPECT_TRUE(shutdown.get());
}

TEST_F(ServerLifeTest, ClientsThatNeverReadDoNotKeepItFromEnding) {
  RawCall call(SlowReader(socket_path_), "/volcrypt.v1.AgentService/GetInfo");
  call.Write("");
  ASSERT_TRUE(Eventually([this] { return !observer_.Take().empty(); }));
  const absl::Time start = absl::Now();
  EXPECT_TRUE(server_->Shutdown(start + absl::Seconds(60)));
  EXPECT_LT(absl::Now() - start, absl::Seconds(30));
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
