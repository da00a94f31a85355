// The callers' Keystone tokens, from the call's metadata to the key manager.
#include <gtest/gtest.h>

#include <string>

#include "agent/rpc/caller_tokens.h"
#include "tests/unit/rpc/rpc_fixture.h"

namespace volcrypt {
namespace {

using Metadata = std::vector<std::pair<std::string, std::string>>;

class ServerTokensTest : public RpcTest {
 protected:
  grpc::Status AttachWith(const Metadata& metadata) const {
    v1::AttachVolumeRequest request;
    request.set_volume_id(kVolume);
    request.set_device(kFormatted);
    request.mutable_key()->set_key_id(kKey);
    v1::AttachVolumeResponse response;
    const auto context = With(metadata);
    return v1::VolumeEncryptorService::NewStub(channel_)->AttachVolume(context.get(), request, &response);
  }
  static std::unique_ptr<grpc::ClientContext> With(const Metadata& metadata) {
    auto context = Patient();
    for (const auto& [name, value] : metadata) context->AddMetadata(name, value);
    return context;
  }
  // On whose behalf the key was fetched.
  std::string Caller() const { return keys_->callers.empty() ? "nobody" : keys_->callers.front(); }
};

TEST_F(ServerTokensTest, TokensReachTheKeyManagerAndNoLog) {
  ASSERT_EQ(RpcOutcome(AttachWith({{"x-auth-token", "gAAAAuser"}, {"x-service-token", "gAAAAservice"}})), "OK");
  EXPECT_EQ(Caller(), "gAAAAuser/gAAAAservice");
  EXPECT_NE(LogText().find("AttachVolume volume=vol-1"), std::string::npos);
  EXPECT_EQ(LogText().find("gAAAA"), std::string::npos);
}

TEST_F(ServerTokensTest, AuthTokenNeedsNoServiceToken) {
  ASSERT_EQ(RpcOutcome(AttachWith({{"x-auth-token", "user"}})), "OK");
  EXPECT_EQ(Caller(), "user/");
}

TEST_F(ServerTokensTest, TokensAreOfTheirCallAlone) {
  ASSERT_EQ(RpcOutcome(AttachWith({{"x-auth-token", "user"}})), "OK");
  keys_->callers.clear();
  ASSERT_EQ(RpcOutcome(AttachWith({})), "OK");
  EXPECT_EQ(Caller(), "agent");
}

TEST_F(ServerTokensTest, EmptyTokenIsNone) {
  ASSERT_EQ(RpcOutcome(AttachWith({{"x-auth-token", ""}, {"x-service-token", ""}})), "OK");
  EXPECT_EQ(Caller(), "agent");
}

TEST_F(ServerTokensTest, LongestTokensAreTaken) {
  const std::string user(kMaxTokenBytes, 'u');
  const std::string service(kMaxTokenBytes, 's');
  ASSERT_EQ(RpcOutcome(AttachWith({{"x-auth-token", user}, {"x-service-token", service}})), "OK");
  EXPECT_EQ(Caller(), user + "/" + service);
}

TEST_F(ServerTokensTest, WhatIsNoTokenIsRefusedAndNotRepeated) {
  const std::string long_one(kMaxTokenBytes + 1, 'u');
  const std::vector<std::pair<std::string, Metadata>> cases = {
      {"x-auth-token", {{"x-auth-token", long_one}}},
      {"x-auth-token", {{"x-auth-token", "gAAAA a b"}}},
      {"x-auth-token", {{"x-auth-token", "gAAAA1"}, {"x-auth-token", "gAAAA2"}}},
      {"x-service-token", {{"x-auth-token", "gAAAA"}, {"x-service-token", long_one}}},
      {"x-service-token", {{"x-auth-token", "gAAAA"}, {"x-service-token", "a b"}}},
      {"x-service-token", {{"x-service-token", "gAAAA"}}},
  };
  for (const auto& [field, metadata] : cases) {
    const grpc::Status status = AttachWith(metadata);
    EXPECT_EQ(RpcOutcome(status), "INVALID_FIELD") << field;
    EXPECT_EQ(ErrorInfoOf(status).metadata().at("field"), field);
    EXPECT_EQ(status.error_message().find("gAAAA"), std::string::npos);
  }
  EXPECT_TRUE(keys_->calls.empty());
  EXPECT_EQ(LogText().find("gAAAA"), std::string::npos);
}

TEST_F(ServerTokensTest, WarningsOfTheKeyManagerStandInTheLogBesideOurs) {
  keys_->warning = "the ACL stays as it is";
  Fail(keys_->on_record, Reason::kKeyAccessDenied);
  ASSERT_EQ(RpcOutcome(AttachWith({})), "OK");
  const std::string log = LogText();
  EXPECT_NE(log.find("the ACL stays as it is"), std::string::npos) << log;
  EXPECT_NE(log.find("is missing and cannot be written"), std::string::npos) << log;
}

TEST_F(ServerTokensTest, EveryCallThatAsksAKeyManagerPassesThemOn) {
  const Metadata user = {{"x-auth-token", "user"}};
  const auto keys = v1::KeyService::NewStub(channel_);
  v1::CreateKeyResponse created;
  EXPECT_EQ(RpcOutcome(keys->CreateKey(With(user).get(), {}, &created)), "OK");
  v1::GetKeyMetadataRequest get;
  *get.mutable_key() = created.key();
  v1::GetKeyMetadataResponse metadata;
  EXPECT_EQ(RpcOutcome(keys->GetKeyMetadata(With(user).get(), get, &metadata)), "OK");
  v1::CopyKeyRequest copy;
  *copy.mutable_source() = created.key();
  v1::CopyKeyResponse copied;
  EXPECT_EQ(RpcOutcome(keys->CopyKey(With(user).get(), copy, &copied)), "OK");
  v1::DeleteKeyRequest remove;
  *remove.mutable_key() = created.key();
  v1::DeleteKeyResponse removed;
  EXPECT_EQ(RpcOutcome(keys->DeleteKey(With(user).get(), remove, &removed)), "OK");
  v1::CheckKeyManagerResponse checked;
  EXPECT_EQ(RpcOutcome(keys->CheckKeyManager(With(user).get(), {}, &checked)), "OK");
  ASSERT_EQ(RpcOutcome(AttachWith(user)), "OK");
  ShowInSysfs(kVolume);
  v1::ExtendVolumeRequest extend;
  extend.set_volume_id(kVolume);
  extend.mutable_key()->set_key_id(kKey);
  v1::ExtendVolumeResponse extended;
  const auto volumes = v1::VolumeEncryptorService::NewStub(channel_);
  EXPECT_EQ(RpcOutcome(volumes->ExtendVolume(With(user).get(), extend, &extended)), "OK");
  v1::ForgetVolumeRequest forget;
  forget.set_volume_id(kVolume);
  forget.mutable_key()->set_key_id(kKey);
  v1::ForgetVolumeResponse forgotten;
  const auto admin = v1::VolumeAdminService::NewStub(channel_);
  ASSERT_EQ(RpcOutcome(Detach(kVolume)), "OK");
  EXPECT_EQ(RpcOutcome(admin->ForgetVolume(With(user).get(), forget, &forgotten)), "OK");

  EXPECT_GE(keys_->callers.size(), 9U);
  for (const std::string& caller : keys_->callers) EXPECT_EQ(caller, "user/");
}

}  // namespace
}  // namespace volcrypt
