#include <gtest/gtest.h>

#include "tests/unit/rpc/rpc_fixture.h"

namespace volcrypt {
namespace {

class ServerKeysTest : public RpcTest {
 protected:
  std::unique_ptr<v1::KeyService::Stub> stub_ = v1::KeyService::NewStub(channel_);
};

TEST_F(ServerKeysTest, KeyIsCreatedShownAndDeleted) {
  v1::CreateKeyRequest create;
  create.set_bit_length(512);
  v1::CreateKeyResponse created;
  ASSERT_EQ(RpcOutcome(stub_->CreateKey(Patient().get(), create, &created)), "OK");
  EXPECT_EQ(created.key().key_manager(), "local");
  EXPECT_EQ(created.key().key_id(), "created-1");
  EXPECT_NE(LogText().find("CreateKey key_manager=local key=created-1 reason=OK"), std::string::npos) << LogText();

  v1::GetKeyMetadataRequest get;
  get.mutable_key()->set_key_id("created-1");
  v1::GetKeyMetadataResponse metadata;
  ASSERT_EQ(RpcOutcome(stub_->GetKeyMetadata(Patient().get(), get, &metadata)), "OK");
  EXPECT_EQ(metadata.key().key_manager(), "local");
  EXPECT_EQ(metadata.bit_length(), 512U);
  EXPECT_EQ(metadata.secret_type(), "symmetric");

  v1::DeleteKeyRequest remove;
  remove.mutable_key()->set_key_id("created-1");
  v1::DeleteKeyResponse removed;
  EXPECT_EQ(RpcOutcome(stub_->DeleteKey(Patient().get(), remove, &removed)), "OK");
  EXPECT_EQ(RpcOutcome(stub_->GetKeyMetadata(Patient().get(), get, &metadata)), "KEY_NOT_FOUND");
}

TEST_F(ServerKeysTest, KeyManagerThatIsNamedIsAsked) {
  v1::CreateKeyRequest create;
  create.set_key_manager("other");
  v1::CreateKeyResponse created;
  ASSERT_EQ(RpcOutcome(stub_->CreateKey(Patient().get(), create, &created)), "OK");
  EXPECT_EQ(created.key().key_manager(), "other");
  EXPECT_EQ(other_keys_->calls, Calls{"create"});
  EXPECT_TRUE(keys_->calls.empty());

  create.set_key_manager("nowhere");
  EXPECT_EQ(RpcOutcome(stub_->CreateKey(Patient().get(), create, &created)), "UNKNOWN_KEY_MANAGER");
}

TEST_F(ServerKeysTest, KeyThatIsNotNamedIsRequired) {
  v1::GetKeyMetadataResponse metadata;
  EXPECT_EQ(RpcOutcome(stub_->GetKeyMetadata(Patient().get(), {}, &metadata)), "KEY_REQUIRED");
  v1::DeleteKeyResponse removed;
  EXPECT_EQ(RpcOutcome(stub_->DeleteKey(Patient().get(), {}, &removed)), "KEY_REQUIRED");
}

TEST_F(ServerKeysTest, KeyThatFormattedVolumesGoesByForceAlone) {
  PutRecord(State::kFormatted, kHost, kUuid);
  v1::DeleteKeyRequest remove;
  remove.mutable_key()->set_key_id(kKey);
  v1::DeleteKeyResponse removed;
  EXPECT_EQ(RpcOutcome(stub_->DeleteKey(Patient().get(), remove, &removed)), "KEY_IN_USE");
  v1::GetKeyMetadataRequest get;
  get.mutable_key()->set_key_id(kKey);
  v1::GetKeyMetadataResponse metadata;
  ASSERT_EQ(RpcOutcome(stub_->GetKeyMetadata(Patient().get(), get, &metadata)), "OK");
  ASSERT_EQ(metadata.formatted_volumes_size(), 1);
  EXPECT_EQ(metadata.formatted_volumes(0), kVolume);
  remove.set_force(true);
  EXPECT_EQ(RpcOutcome(stub_->DeleteKey(Patient().get(), remove, &removed)), "OK");
}

TEST_F(ServerKeysTest, KeyThatNobodyMakesIsRefusedBeforeTheKeyManagerIsAsked) {
  v1::CreateKeyRequest create;
  create.set_algorithm("des");
  v1::CreateKeyResponse created;
  const grpc::Status status = stub_->CreateKey(Patient().get(), create, &created);
  EXPECT_EQ(ErrorInfoOf(status).reason(), "INVALID_FIELD");
  EXPECT_EQ(ErrorInfoOf(status).metadata().at("field"), "algorithm");
  EXPECT_TRUE(keys_->calls.empty());
}

}  // namespace
}  // namespace volcrypt
