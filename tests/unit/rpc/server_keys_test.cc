#include <gtest/gtest.h>

#include <functional>

#include "agent/keys/key_id.h"
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

TEST_F(ServerKeysTest, KeyIsCopiedWithItsRecords) {
  PutRecord(State::kFormatted, kHost, kUuid);
  v1::CopyKeyRequest copy;
  copy.mutable_source()->set_key_id(kKey);
  copy.set_key_manager("other");
  copy.set_name("moved");
  copy.set_owner_user_id("0123456789abcdef0123456789abcdef");
  v1::CopyKeyResponse copied;
  ASSERT_EQ(RpcOutcome(stub_->CopyKey(Patient().get(), copy, &copied)), "OK");
  EXPECT_EQ(copied.key().key_manager(), "other");
  EXPECT_EQ(copied.key().key_id(), "imported-1");
  ASSERT_EQ(other_keys_->imported.size(), 1U);
  EXPECT_EQ(other_keys_->imported[0].name, "moved");
  EXPECT_EQ(other_keys_->imported[0].owner_user_id, "0123456789abcdef0123456789abcdef");
  EXPECT_EQ(other_keys_->records["imported-1"].count(kVolume), 1U);
  EXPECT_NE(LogText().find("CopyKey key=key-1 key_manager=local copy_key_manager=other copy=imported-1 reason=OK"),
            std::string::npos)
      << LogText();
}

TEST_F(ServerKeysTest, WrongFieldsOfACopyAreRefusedBeforeAKeyManagerIsAsked) {
  v1::CopyKeyResponse copied;
  EXPECT_EQ(RpcOutcome(stub_->CopyKey(Patient().get(), {}, &copied)), "KEY_REQUIRED");
  const std::vector<std::pair<std::string, std::function<void(v1::CopyKeyRequest&)>>> cases = {
      {"source.key_id", [](v1::CopyKeyRequest& request) { request.mutable_source()->set_key_id("a b"); }},
      {"name", [](v1::CopyKeyRequest& request) { request.set_name(std::string(256, 'n')); }},
      {"owner_user_id", [](v1::CopyKeyRequest& request) { request.set_owner_user_id("a/b"); }},
      {"owner_user_id", [](v1::CopyKeyRequest& request) { request.set_owner_user_id(std::string(256, 'u')); }},
  };
  for (const auto& [field, change] : cases) {
    v1::CopyKeyRequest request;
    request.mutable_source()->set_key_id(kKey);
    change(request);
    const grpc::Status status = stub_->CopyKey(Patient().get(), request, &copied);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << field;
    if (field != "source.key_id") {
      EXPECT_EQ(ErrorInfoOf(status).metadata().at("field"), field);
    }
  }
  EXPECT_TRUE(keys_->calls.empty());
}

TEST_F(ServerKeysTest, CheckAnswersEveryStepOfTheKeyManagerThatIsNamed) {
  other_keys_->check_steps = {{.name = "connect", .passed = true, .detail = "there", .remedy = ""},
                              {.name = "authenticate",
                               .passed = false,
                               .detail = "no \xff",
                               .remedy = "set it",
                               .reason = Reason::kKeyAccessDenied}};
  v1::CheckKeyManagerRequest check;
  check.set_key_manager("other");
  v1::CheckKeyManagerResponse checked;
  ASSERT_EQ(RpcOutcome(stub_->CheckKeyManager(Patient().get(), check, &checked)), "OK");
  ASSERT_EQ(checked.steps_size(), 2);
  EXPECT_EQ(checked.steps(0).name(), "connect");
  EXPECT_TRUE(checked.steps(0).passed());
  EXPECT_EQ(checked.steps(0).detail(), "there");
  EXPECT_FALSE(checked.steps(1).passed());
  EXPECT_EQ(checked.steps(1).remedy(), "set it");
  EXPECT_EQ(checked.steps(0).reason(), "");
  EXPECT_EQ(checked.steps(1).reason(), "KEY_ACCESS_DENIED");
  check.set_key_manager("nowhere");
  EXPECT_EQ(RpcOutcome(stub_->CheckKeyManager(Patient().get(), check, &checked)), "UNKNOWN_KEY_MANAGER");
}

TEST_F(ServerKeysTest, WhatAKeyManagerCannotDoIsAWrongField) {
  const auto refuse = [](const std::string&) { return NotHeld("not here"); };
  fixed_keys_->on_create = refuse;
  fixed_keys_->on_delete = refuse;
  v1::CreateKeyRequest create;
  create.set_key_manager("fixed");
  v1::CreateKeyResponse created;
  const grpc::Status status = stub_->CreateKey(Patient().get(), create, &created);
  EXPECT_EQ(RpcOutcome(status), "INVALID_FIELD");
  EXPECT_EQ(ErrorInfoOf(status).metadata().at("field"), "key_manager");
  v1::DeleteKeyRequest remove;
  remove.mutable_key()->set_key_id(kFixedKeyId);
  v1::DeleteKeyResponse removed;
  EXPECT_EQ(RpcOutcome(stub_->DeleteKey(Patient().get(), remove, &removed)), "INVALID_FIELD");
}

TEST_F(ServerKeysTest, FixedKeyIsShownFromItsSectionAndAUrlByItsLastSegment) {
  fixed_keys_->keys[kFixedKeyId] = {1};
  for (const std::string& id : {std::string(kFixedKeyId), std::string("https://b/v1/secrets/") + kFixedKeyId}) {
    v1::GetKeyMetadataRequest get;
    get.mutable_key()->set_key_id(id);
    v1::GetKeyMetadataResponse metadata;
    ASSERT_EQ(RpcOutcome(stub_->GetKeyMetadata(Patient().get(), get, &metadata)), "OK");
    EXPECT_EQ(metadata.key().key_manager(), "fixed");
    EXPECT_EQ(metadata.key().key_id(), kFixedKeyId);
  }
}

TEST_F(ServerKeysTest, KeyInTheIdsPlaceIsNotLogged) {
  const std::string key = "c2VjcmV0IQ==";
  const std::string hex_key = "5ec2e7005ec2e7005ec2e7005ec2e700";
  // As key managers do that know UUIDs only.
  keys_->on_get_metadata = [](const std::string&) { return MakeError(Reason::kInvalidKeyId, "not a UUID"); };
  for (const std::string& id : {key, "https://b/v1/secrets/" + key, hex_key}) {
    v1::GetKeyMetadataRequest get;
    get.mutable_key()->set_key_id(id);
    v1::GetKeyMetadataResponse metadata;
    EXPECT_EQ(RpcOutcome(stub_->GetKeyMetadata(Patient().get(), get, &metadata)), "INVALID_KEY_ID");
    EXPECT_NE(LogText().find("key=\"invalid (" + std::to_string(id.size()) + " bytes)\""), std::string::npos)
        << LogText();
  }
  EXPECT_EQ(LogText().find("c2Vj"), std::string::npos) << LogText();
  EXPECT_EQ(LogText().find("5ec2"), std::string::npos) << LogText();
}

TEST_F(ServerKeysTest, UrlIsLoggedByItsLastSegment) {
  v1::DeleteKeyRequest remove;
  remove.mutable_key()->set_key_id("https://user:password@b/v1/secrets/" + std::string(kKey));
  v1::DeleteKeyResponse removed;
  ASSERT_EQ(RpcOutcome(stub_->DeleteKey(Patient().get(), remove, &removed)), "OK");
  EXPECT_NE(LogText().find("DeleteKey key=key-1 key_manager=local reason=OK"), std::string::npos) << LogText();
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
