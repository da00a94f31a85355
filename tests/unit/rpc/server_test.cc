#include "agent/rpc/server.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>
#include <vector>

#include "tests/unit/rpc/held_calls.h"
#include "tests/unit/rpc/rpc_fixture.h"

namespace volcrypt {
namespace {

using ServerTest = RpcTest;

v1::AttachVolumeRequest AttachRequestFor(const std::string& volume_id, const std::string& device) {
  v1::AttachVolumeRequest request;
  request.set_volume_id(volume_id);
  request.set_device(device);
  request.mutable_key()->set_key_id("key-1");
  return request;
}

TEST_F(ServerTest, WholeLifeOfAVolume) {
  const auto stub = v1::VolumeEncryptorService::NewStub(channel_);
  v1::AttachVolumeResponse attached;
  ASSERT_EQ(RpcOutcome(stub->AttachVolume(Patient().get(), AttachRequestFor(kVolume, kBlank), &attached)), "OK");
  EXPECT_TRUE(attached.formatted());
  EXPECT_FALSE(attached.already_attached());
  EXPECT_EQ(attached.attachment().device_path(), "/dev/mapper/volcrypt-vol-1");
  EXPECT_EQ(attached.attachment().key().key_id(), "key-1");
  ShowInSysfs(kVolume);

  v1::GetAttachmentRequest get;
  get.set_volume_id(kVolume);
  v1::GetAttachmentResponse got;
  ASSERT_EQ(RpcOutcome(stub->GetAttachment(Patient().get(), get, &got)), "OK");
  EXPECT_EQ(got.attachment().volume_id(), kVolume);

  v1::ExtendVolumeRequest extend;
  extend.set_volume_id(kVolume);
  extend.mutable_key()->set_key_id("key-1");
  v1::ExtendVolumeResponse extended;
  ASSERT_EQ(RpcOutcome(stub->ExtendVolume(Patient().get(), extend, &extended)), "OK");
  EXPECT_EQ(extended.previous_size_bytes(), extended.attachment().size_bytes());

  v1::DetachVolumeResponse detached;
  ASSERT_EQ(RpcOutcome(Detach(kVolume, &detached)), "OK");
  EXPECT_TRUE(detached.was_attached());
  ASSERT_EQ(RpcOutcome(Detach("vol-never-seen", &detached)), "OK");
  EXPECT_FALSE(detached.was_attached());
}

TEST_F(ServerTest, EveryReasonReachesTheCallerWithItsCodeAndDetails) {
  Reason reason = Reason::kInvalidField;
  encryptor_.on_detach = [&reason](const DetachRequest&) {
    return MakeError(reason, "failed on purpose", {{"device", "/dev/sdb"}});
  };
  for (const Reason each : AllReasons()) {
    reason = each;
    const grpc::Status status = Detach(kVolume);
    EXPECT_EQ(static_cast<int>(status.error_code()), static_cast<int>(ReasonCode(each))) << ReasonName(each);
    EXPECT_EQ(ErrorInfoOf(status).reason(), ReasonName(each));
    EXPECT_EQ(ErrorInfoOf(status).metadata().at("device"), "/dev/sdb");
  }
}

TEST_F(ServerTest, LargestErrorReachesTheCaller) {
  // Bytes beyond ASCII are the longest on the wire: each becomes three.
  std::string message;
  for (int i = 0; i < 1000; ++i) message += "\u00e4";
  encryptor_.on_detach = [&message](const DetachRequest&) {
    return MakeError(Reason::kDeviceNotBlank, message, {{"found", message + message}});
  };
  const grpc::Status status = Detach(kVolume);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(ErrorInfoOf(status).reason(), "DEVICE_NOT_BLANK");
}

TEST_F(ServerTest, ExceptionIsAFaultThatIsReportedAndSurvived) {
  encryptor_.on_detach = [](const DetachRequest&) -> absl::StatusOr<DetachResult> { throw std::runtime_error("oops"); };
  EXPECT_EQ(RpcOutcome(Detach(kVolume)), "WORKER_FAILED");
  encryptor_.on_detach = [](const DetachRequest&) -> absl::StatusOr<DetachResult> { throw std::bad_alloc(); };
  EXPECT_EQ(RpcOutcome(Detach(kVolume)), "OUT_OF_MEMORY");
  encryptor_.on_detach = nullptr;
  EXPECT_EQ(RpcOutcome(Detach(kVolume)), "OK");
}

TEST_F(ServerTest, NumberOutsideAnEnumerationIsAnInvalidField) {
  v1::AttachVolumeRequest request = AttachRequestFor(kVolume, kBlank);
  request.set_mode(static_cast<v1::Mode>(77));
  v1::AttachVolumeResponse response;
  const grpc::Status status =
      v1::VolumeEncryptorService::NewStub(channel_)->AttachVolume(Patient().get(), request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(ErrorInfoOf(status).reason(), "INVALID_FIELD");
  EXPECT_EQ(ErrorInfoOf(status).metadata().at("field"), "mode");
  EXPECT_TRUE(encryptor_.calls.empty());
}

TEST_F(ServerTest, ListsArriveInPages) {
  for (const char* const volume : {"c", "a", "e", "b", "d"}) ShowInSysfs(volume);
  std::string seen;
  v1::ListAttachmentsRequest request;
  request.set_page_size(2);
  do {
    v1::ListAttachmentsResponse response;
    ASSERT_EQ(RpcOutcome(List(request, &response)), "OK");
    EXPECT_LE(response.attachments_size(), 2);
    for (const v1::Attachment& attachment : response.attachments()) seen += attachment.volume_id();
    request.set_page_token(response.next_page_token());
  } while (!request.page_token().empty());
  EXPECT_EQ(seen, "abcde");
}

TEST_F(ServerTest, PageTokenOfSomebodyElseIsAnInvalidField) {
  v1::ListAttachmentsRequest request;
  request.set_page_token("page-2");
  v1::ListAttachmentsResponse response;
  const grpc::Status status = List(request, &response);
  EXPECT_EQ(ErrorInfoOf(status).reason(), "INVALID_FIELD");
  EXPECT_EQ(ErrorInfoOf(status).metadata().at("field"), "page_token");
}

TEST_F(ServerTest, InspectAndForgetReachTheCore) {
  const auto stub = v1::VolumeAdminService::NewStub(channel_);
  v1::InspectVolumeRequest inspect;
  inspect.set_device(kFormatted);
  v1::InspectVolumeResponse inspected;
  ASSERT_EQ(RpcOutcome(stub->InspectVolume(Patient().get(), inspect, &inspected)), "OK");
  EXPECT_EQ(inspected.content(), v1::InspectVolumeResponse::CONTENT_LUKS2);

  PutRecord(State::kFormatted, kHost, kUuid);
  v1::ForgetVolumeRequest forget;
  forget.set_volume_id(kVolume);
  forget.mutable_key()->set_key_id(kKey);
  v1::ForgetVolumeResponse forgotten;
  ASSERT_EQ(RpcOutcome(stub->ForgetVolume(Patient().get(), forget, &forgotten)), "OK");
  EXPECT_EQ(RecordOf(), "none");
}

TEST_F(ServerTest, InfoNamesWhatTheAgentCanDo) {
  v1::GetInfoResponse info;
  ASSERT_TRUE(v1::AgentService::NewStub(channel_)->GetInfo(Patient().get(), {}, &info).ok());
  EXPECT_EQ(info.version(), VOLCRYPT_VERSION);
  ASSERT_EQ(info.formats_size(), 2);
  ASSERT_EQ(info.modes_size(), 1);
  EXPECT_EQ(info.modes(0), v1::MODE_HOST_MAPPING);
  ASSERT_EQ(info.key_managers_size(), 3);
  EXPECT_EQ(info.key_managers(0).name(), "fixed");
  EXPECT_EQ(info.key_managers(0).type(), "conf");
  EXPECT_FALSE(info.key_managers(0).is_default());
  EXPECT_EQ(info.key_managers(1).name(), "local");
  EXPECT_TRUE(info.key_managers(1).is_default());
  EXPECT_EQ(info.limits().max_operations(), 4U);
  EXPECT_EQ(info.limits().operation_timeout_seconds(), 60U);
  EXPECT_EQ(info.limits().max_page_size(), 500U);
}

TEST_F(ServerTest, OneLinePerOperationSaysWhoDidWhatAndHowItEnded) {
  ASSERT_EQ(RpcOutcome(Detach(kVolume)), "OK");
  EXPECT_EQ(RpcOutcome(Detach("../etc")), "INVALID_VOLUME_ID");
  const std::string log = LogText();
  EXPECT_EQ(std::ranges::count(log, '\n'), 2) << log;
  EXPECT_NE(log.find("info DetachVolume volume=vol-1 was_attached=false reason=OK duration_ms="), std::string::npos);
  EXPECT_NE(log.find(" uid=0 pid=" + std::to_string(getpid()) + " role=admin request_id=req-"), std::string::npos)
      << log;
  EXPECT_NE(log.find("warning DetachVolume volume=../etc reason=INVALID_VOLUME_ID"), std::string::npos) << log;
}

TEST_F(ServerTest, ReadsThatGoWellAreNotLoggedAtTheUsualLevel) {
  ASSERT_TRUE(GetInfo(channel_).ok());
  EXPECT_EQ(LogText(), "");
  log_.SetLevel(LogLevel::kDebug);
  ASSERT_TRUE(GetInfo(channel_).ok());
  EXPECT_NE(LogText().find("debug GetInfo"), std::string::npos);
}

TEST_F(ServerTest, CallerCannotBeginALogLine) {
  Detach("x\nerror DetachVolume volume=other");
  EXPECT_EQ(std::ranges::count(LogText(), '\n'), 1);
}

TEST_F(ServerTest, ReasonOfATimeoutArrivesBeforeTheCallerGivesUp) {
  HeldCalls held(encryptor_);
  held.Start(channel_, 4);
  v1::DetachVolumeRequest request;
  request.set_volume_id("one-too-many");
  v1::DetachVolumeResponse response;
  const auto stub = v1::VolumeEncryptorService::NewStub(channel_);
  // No slot comes free within the caller's time. What the server keeps of that for its answer is so little that a busy
  // machine may need more.
  grpc::Status status;
  for (int i = 0; i < 3 && RpcOutcome(status) != "TOO_MANY_OPERATIONS"; ++i) {
    status = stub->DetachVolume(Within(std::chrono::seconds(2)).get(), request, &response);
  }
  EXPECT_EQ(RpcOutcome(status), "TOO_MANY_OPERATIONS") << status.error_message();
}

TEST_F(ServerTest, HungDevicesKeepNobodyFromListing) {
  HeldCalls held(encryptor_);
  ShowInSysfs("vol-a");
  // All slots and the whole queue.
  held.Start(channel_, 4);
  held.StartMore(channel_, 64, [this] { return slots_.Waiting() == 64; });
  v1::ListAttachmentsResponse response;
  EXPECT_EQ(RpcOutcome(List({}, &response)), "OK");
  EXPECT_EQ(response.attachments_size(), 1);
  v1::GetAttachmentRequest get;
  get.set_volume_id("vol-a");
  v1::GetAttachmentResponse got;
  encryptor_.on_query = [](const std::string&) { return Mapping{}; };
  EXPECT_EQ(RpcOutcome(v1::VolumeEncryptorService::NewStub(channel_)->GetAttachment(Patient().get(), get, &got)), "OK");
  EXPECT_EQ(RpcOutcome(Detach("one-too-many")), "TOO_MANY_OPERATIONS");
}

TEST_F(ServerTest, HungKeyManagersKeepNobodyFromDetaching) {
  constexpr int kMost = 4 + 64;  // max_operations and max_waiting
  std::promise<void> back;
  std::atomic<int> hanging = 0;
  keys_->on_create = [&hanging, is_back = back.get_future().share()](const std::string&) {
    ++hanging;
    is_back.wait();
    return absl::OkStatus();
  };
  std::vector<std::thread> threads;
  std::atomic<int> answered = 0;
  for (int i = 0; i < kMost; ++i) {
    threads.emplace_back([&] { answered += CreateKey(channel_).ok() ? 1 : 0; });
  }
  EXPECT_TRUE(Eventually([&] { return hanging == kMost; }));
  EXPECT_EQ(RpcOutcome(CreateKey(channel_, "other")), "TOO_MANY_OPERATIONS");
  EXPECT_EQ(RpcOutcome(Detach(kVolume)), "OK");
  EXPECT_TRUE(GetInfo(channel_).ok());
  HeldCalls held(encryptor_);
  held.Start(channel_, 4);
  held.StartMore(channel_, 64, [this] { return slots_.Waiting() == 64; });
  EXPECT_TRUE(GetInfo(channel_).ok());
  held.Release();
  back.set_value();
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(answered, kMost);
  EXPECT_EQ(RpcOutcome(CreateKey(channel_)), "OK");
}

TEST_F(ServerTest, RequestsLargerThanAnyThatMakesSenseAreRefused) {
  EXPECT_EQ(Detach(std::string(100'000, 'v')).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(RpcOutcome(Detach(kVolume)), "OK");
}

TEST_F(ServerTest, EveryOperationIsToldToTheObserverAsTheLogHasIt) {
  const auto stub = v1::VolumeEncryptorService::NewStub(channel_);
  v1::AttachVolumeResponse response;
  EXPECT_EQ(RpcOutcome(stub->AttachVolume(Patient().get(), AttachRequestFor(kVolume, kBlank), &response)), "OK");
  EXPECT_EQ(observer_.Take(), Calls({"operation AttachVolume OK formatted key_manager=local"}));
  EXPECT_EQ(RpcOutcome(Detach(kVolume)), "OK");
  Fail(keys_->on_record, Reason::kKeyAccessDenied);
  keys_->records.clear();
  EXPECT_EQ(RpcOutcome(stub->AttachVolume(Patient().get(), AttachRequestFor(kVolume, kBlank), &response)), "OK");
  EXPECT_EQ(RpcOutcome(stub->AttachVolume(Patient().get(), AttachRequestFor("vol-2", "/dev/none"), &response)),
            "DEVICE_NOT_FOUND");
  EXPECT_EQ(observer_.Take(), Calls({"operation DetachVolume OK",
                                     "operation AttachVolume OK key_manager=local record_error=KEY_ACCESS_DENIED",
                                     "operation AttachVolume DEVICE_NOT_FOUND"}));
}

}  // namespace
}  // namespace volcrypt
