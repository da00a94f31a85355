#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "tests/unit/eventually.h"
#include "tests/unit/keys/openstack/fake_cloud.h"
#include "tests/unit/keys/openstack/status_matchers.h"

namespace volcrypt {
namespace {

using testing::AllOf;
using testing::Not;

constexpr char kAuth[] = "/v3/auth/tokens";

class BarbicanGetTest : public testing::Test {
 protected:
  FakeCloud cloud_;
  std::unique_ptr<BarbicanKeyManager> keys_ = cloud_.KeyManager();
};

TEST_F(BarbicanGetTest, SymmetricKeyComesInTwoRequests) {
  const std::string id = cloud_.Add({.payload = std::string("\0k\xff", 3) + std::string(29, 'x')});
  const absl::StatusOr<Key> key = keys_->Get(id, Soon());
  ASSERT_THAT(key, Succeeds());
  EXPECT_EQ(TextOfSecret(key->bytes), std::string("\0k\xff", 3) + std::string(29, 'x'));
  EXPECT_EQ(key->type, KeyType::kSymmetric);
  EXPECT_TRUE(key->high_entropy);
  EXPECT_EQ(cloud_.Count("GET", "/v1/"), 2U);
  ASSERT_THAT(keys_->Get(id, Soon()), Succeeds());
  EXPECT_EQ(cloud_.Requests().size(), 5U);
}

TEST_F(BarbicanGetTest, OnlyRandomBytesOfEnoughBitsAreOfHighEntropy) {
  const auto is_high = [this](FakeSecret secret) {
    return keys_->Get(cloud_.Add(std::move(secret)), Soon())->high_entropy;
  };
  EXPECT_TRUE(is_high({.payload = std::string(16, 'k'), .bit_length = "128"}));
  EXPECT_TRUE(is_high({.payload = std::string(64, 'k'), .bit_length = "null"}));
  EXPECT_FALSE(is_high({.payload = std::string(15, 'k'), .bit_length = "120"}));
  EXPECT_FALSE(is_high({.payload = std::string(1, 'k'), .bit_length = "8"}));
  EXPECT_FALSE(is_high({.content_type = "text/plain"}));
  EXPECT_FALSE(is_high({.type = "opaque"}));
  EXPECT_FALSE(is_high({.type = "passphrase"}));
}

TEST_F(BarbicanGetTest, SecretTypesAreKeyTypes) {
  const auto type = [this](const char* name) { return keys_->Get(cloud_.Add({.type = name}), Soon())->type; };
  EXPECT_EQ(type("symmetric"), KeyType::kSymmetric);
  EXPECT_EQ(type("passphrase"), KeyType::kPassphrase);
  EXPECT_EQ(type("opaque"), KeyType::kOpaque);
}

TEST_F(BarbicanGetTest, SecretsThatOpenNoVolumeAreUnfit) {
  for (const char* type : {"certificate", "private", "public", "something"}) {
    EXPECT_THAT(keys_->Get(cloud_.Add({.type = type}), Soon()), AllOf(FailsWith(Reason::kKeyUnfit), Says(type)));
  }
  EXPECT_EQ(cloud_.Count("GET", "/payload"), 0U);
}

TEST_F(BarbicanGetTest, PayloadOfAnotherLengthThanSaidIsUnfit) {
  for (const char* bits : {"128", "255", "257", "512"}) {
    EXPECT_THAT(keys_->Get(cloud_.Add({.bit_length = bits}), Soon()), AllOf(FailsWith(Reason::kKeyUnfit), Says(bits)));
  }
}

TEST_F(BarbicanGetTest, LengthOfAPassphraseMeansNothing) {
  for (const char* type : {"passphrase", "opaque"}) {
    EXPECT_THAT(keys_->Get(cloud_.Add({.type = type, .payload = "short"}), Soon()), Succeeds());
  }
}

TEST_F(BarbicanGetTest, PayloadOfZeroBytesIsUnfit) {
  EXPECT_THAT(keys_->Get(cloud_.Add({.payload = "", .bit_length = "0"}), Soon()), FailsWith(Reason::kKeyUnfit));
  cloud_.Next("GET", "/payload", {.status = 200, .body = ""});
  EXPECT_THAT(keys_->Get(cloud_.Add(), Soon()), FailsWith(Reason::kKeyUnfit));
}

TEST_F(BarbicanGetTest, SecretWithoutPayloadIsUnfit) {
  EXPECT_THAT(keys_->Get(cloud_.Add({.content_type = ""}), Soon()),
              AllOf(FailsWith(Reason::kKeyUnfit), Says("no payload")));
}

TEST_F(BarbicanGetTest, SecretThatIsNotActiveIsUnfit) {
  EXPECT_THAT(keys_->Get(cloud_.Add({.status = "PENDING"}), Soon()),
              AllOf(FailsWith(Reason::kKeyUnfit), Says("PENDING")));
}

TEST_F(BarbicanGetTest, LargestPayloadIsTakenAndLargerOnesAreUnfit) {
  EXPECT_THAT(keys_->Get(cloud_.Add({.type = "opaque", .payload = std::string(20000, 'k')}), Soon()), Succeeds());
  EXPECT_THAT(keys_->Get(cloud_.Add({.type = "opaque", .payload = std::string(20001, 'k')}), Soon()),
              FailsWith(Reason::kKeyUnfit));
}

TEST_F(BarbicanGetTest, PayloadThatDisappearsMeanwhileIsNotFound) {
  cloud_.Next("GET", "/payload", BarbicanError(404, "Secret not found."));
  EXPECT_THAT(keys_->Get(cloud_.Add(), Soon()), FailsWith(Reason::kKeyNotFound));
}

TEST_F(BarbicanGetTest, UnknownKeyIsNotFound) {
  EXPECT_THAT(keys_->Get("5ec7e700-0000-4000-8000-999999999999", Soon()), FailsWith(Reason::kKeyNotFound));
}

TEST_F(BarbicanGetTest, IdIsAskedForInLowerCase) {
  const std::string id = cloud_.Add();
  EXPECT_THAT(keys_->Get(absl::AsciiStrToUpper(id), Soon()), Succeeds());
}

TEST_F(BarbicanGetTest, WhatIsNoIdIsNotSent) {
  for (const char* id :
       {"", "key", "../orders/5ec7e700-0000-4000-8000-000000000001", "5ec7e700000040008000000000000001"}) {
    EXPECT_THAT(keys_->Get(id, Soon()), FailsWith(Reason::kInvalidKeyId));
    EXPECT_EQ(ReasonOf(keys_->CheckKeyId(id)), Reason::kInvalidKeyId);
  }
  EXPECT_TRUE(cloud_.Requests().empty());
}

TEST_F(BarbicanGetTest, CutPayloadIsNoKey) {
  const std::string id = cloud_.Add();
  cloud_.Always("GET", "/payload", {.body = std::string(32, 'k'), .manner = Manner::kCutShort});
  EXPECT_THAT(keys_->Get(id, Soon()), FailsWith(Reason::kKeyManagerUnavailable));
  // Without a length nobody can tell, except by the key's own.
  FakeCloud other;
  other.Always("GET", "/payload", {.body = std::string(31, 'k'), .manner = Manner::kWithoutLength});
  EXPECT_THAT(other.KeyManager()->Get(other.Add(), Soon()), FailsWith(Reason::kKeyUnfit));
}

struct StatusRow {
  int status;
  const char* body;
  Reason reason;
  const char* says;
};

class BarbicanStatusTest : public testing::TestWithParam<StatusRow> {};

TEST_P(BarbicanStatusTest, HasItsReasonAndTheServersWords) {
  FakeCloud cloud;
  const std::string id = cloud.Add();
  cloud.Always("GET", "/v1/", {.status = GetParam().status, .body = GetParam().body});
  const absl::Status status = cloud.KeyManager()->Get(id, Soon()).status();
  EXPECT_THAT(status, AllOf(FailsWith(GetParam().reason), Says(GetParam().says), Says(absl::StrCat(GetParam().status)),
                            HasMetadata("http_status", absl::StrCat(GetParam().status))));
}

INSTANTIATE_TEST_SUITE_P(
    All, BarbicanStatusTest,
    testing::Values(
        StatusRow{400, R"({"code":400,"title":"Bad Request","description":"Malformed JSON"})",
                  Reason::kKeyManagerUnavailable, "Malformed JSON"},
        StatusRow{403, R"({"code":403,"title":"Forbidden","description":"Secret retrieval attempt not allowed"})",
                  Reason::kKeyAccessDenied, "creator and member"},
        StatusRow{404, R"({"code":404,"title":"Not Found","description":"Secret not found."})", Reason::kKeyNotFound,
                  "Secret not found."},
        StatusRow{406, "<html><title>406 Not Acceptable</title></html>", Reason::kKeyUnfit, "406 Not Acceptable"},
        StatusRow{409, "{}", Reason::kKeyManagerUnavailable, ""},
        StatusRow{302, "", Reason::kKeyManagerUnavailable, ""},
        StatusRow{418, "tea", Reason::kKeyManagerUnavailable, "tea"},
        StatusRow{429, "slower", Reason::kKeyManagerUnavailable, "slower"},
        StatusRow{500, R"({"code":500,"title":"Internal Server Error","description":"database is locked"})",
                  Reason::kKeyManagerUnavailable, "database is locked"},
        StatusRow{502, "<h1>Bad Gateway</h1>", Reason::kKeyManagerUnavailable, "Bad Gateway"},
        StatusRow{503, "The Keystone service is temporarily unavailable.", Reason::kKeyManagerUnavailable,
                  "The Keystone service is temporarily unavailable."},
        StatusRow{504, "", Reason::kKeyManagerUnavailable, ""}));

TEST_F(BarbicanGetTest, GarbageInPlaceOfADescriptionIsUnavailable) {
  for (const char* body : {"", "{", "[]", "<html>", "{\"secret_type\":{}}"}) {
    cloud_.Next("GET", "/v1/secrets", {.body = body});
    EXPECT_THAT(keys_->Get(cloud_.Add(), Soon()), FailsWith(Reason::kKeyManagerUnavailable)) << body;
  }
}

TEST_F(BarbicanGetTest, LargeDescriptionIsRefused) {
  cloud_.Always("GET", "/v1/secrets", {.body = std::string(100000, ' ')});
  EXPECT_THAT(keys_->Get(cloud_.Add(), Soon()), FailsWith(Reason::kKeyManagerUnavailable));
}

TEST_F(BarbicanGetTest, RefusedTokenIsRenewedOnce) {
  const std::string id = cloud_.Add();
  ASSERT_THAT(keys_->Get(id, Soon()), Succeeds());
  cloud_.RevokeAgentTokens();
  EXPECT_THAT(keys_->Get(id, Soon()), Succeeds());
  EXPECT_EQ(cloud_.Count("POST", kAuth), 2U);
}

TEST_F(BarbicanGetTest, FreshTokenThatIsRefusedIsDeniedToTheAgent) {
  cloud_.Always("GET", "/v1/", {.status = 401, .body = "{}"});
  EXPECT_THAT(keys_->Get(cloud_.Add(), Soon()), AllOf(FailsWith(Reason::kKeyAccessDenied),
                                                      HasMetadata("credential", "agent"), Says("keystone_authtoken")));
  EXPECT_EQ(cloud_.Count("POST", kAuth), 2U);
}

TEST_F(BarbicanGetTest, FiftyParallelGetsRenewARevokedTokenOnce) {
  const std::string id = cloud_.Add();
  ASSERT_THAT(keys_->Get(id, Soon()), Succeeds());
  cloud_.RevokeAgentTokens();
  std::atomic<int> succeeded = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 50; ++i) {
    threads.emplace_back([&] {
      const absl::StatusOr<Key> key = keys_->Get(id, Soon());
      if (key.ok() && TextOfSecret(key->bytes) == FakeSecret().payload) ++succeeded;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(succeeded, 50);
  EXPECT_EQ(cloud_.Count("POST", kAuth), 2U);
}

TEST_F(BarbicanGetTest, PassingTroubleIsWaitedOut) {
  const std::string id = cloud_.Add();
  cloud_.Next("GET", "/payload", {.status = 503, .body = "later"});
  cloud_.Next("GET", "/payload", {.manner = Manner::kDropped});
  EXPECT_THAT(keys_->Get(id, Soon()), Succeeds());
}

TEST_F(BarbicanGetTest, HungBarbicanIsLeftAtTheDeadline) {
  cloud_.Always("GET", "/v1/", {.manner = Manner::kNever});
  const absl::Time start = absl::Now();
  EXPECT_THAT(keys_->Get(cloud_.Add(), start + absl::Milliseconds(500)), FailsWith(Reason::kKeyManagerTimedOut));
  EXPECT_LT(absl::Now() - start, absl::Seconds(5));
}

TEST_F(BarbicanGetTest, SectionsTimeoutBoundsTheWholeCall) {
  BarbicanConfig config = cloud_.Config();
  config.timeout = absl::Milliseconds(500);
  cloud_.Always("GET", "/payload", {.manner = Manner::kNever});
  const absl::Time start = absl::Now();
  EXPECT_THAT(cloud_.KeyManager(config)->Get(cloud_.Add(), absl::InfiniteFuture()),
              FailsWith(Reason::kKeyManagerTimedOut));
  EXPECT_LT(absl::Now() - start, absl::Seconds(5));
}

TEST_F(BarbicanGetTest, PassedDeadlineSendsNothing) {
  EXPECT_THAT(keys_->Get(cloud_.Add(), absl::Now() - absl::Seconds(1)), FailsWith(Reason::kKeyManagerTimedOut));
  EXPECT_TRUE(cloud_.Requests().empty());
}

TEST_F(BarbicanGetTest, HungPayloadDelaysNoOtherKey) {
  const std::string hung = cloud_.Add();
  const std::string well = cloud_.Add();
  cloud_.Always("GET", hung + "/payload", {.manner = Manner::kNever});
  std::thread waiting([&] { EXPECT_THAT(keys_->Get(hung, Soon()), Not(Succeeds())); });
  EXPECT_TRUE(Eventually([&] { return cloud_.Count("GET", hung + "/payload") > 0; }));
  EXPECT_THAT(keys_->Get(well, absl::Now() + absl::Seconds(15)), Succeeds());
  cloud_.Server().Stop();
  waiting.join();
}

TEST_F(BarbicanGetTest, ServerThatIsAwayIsUnavailable) {
  const std::string id = cloud_.Add();
  ASSERT_THAT(keys_->Get(id, Soon()), Succeeds());
  cloud_.Server().Stop();
  EXPECT_THAT(keys_->Get(id, Soon()), AllOf(FailsWith(Reason::kKeyManagerUnavailable), HasMetadata("stage", "connect"),
                                            HasMetadata("server", "Barbican"), Says("is running")));
}

TEST_F(BarbicanGetTest, MetadataIsWhatBarbicanSays) {
  const std::string id =
      cloud_.Add({.metadata = {{"volcrypt-v1", "state=formatted host=h luks=u volume=V1"}, {"a", "b"}}});
  const absl::StatusOr<KeyMetadata> metadata = keys_->GetMetadata(id, Soon());
  ASSERT_THAT(metadata, Succeeds());
  EXPECT_EQ(metadata->key_id, id);
  EXPECT_EQ(metadata->type, KeyType::kSymmetric);
  EXPECT_EQ(metadata->algorithm, "aes");
  EXPECT_EQ(metadata->bit_length, 256U);
  EXPECT_EQ(metadata->name, "a key");
  EXPECT_EQ(metadata->status, "active");
  EXPECT_TRUE(metadata->created_at.has_value());
  ASSERT_EQ(metadata->first_uses.size(), 1U);
  EXPECT_EQ(metadata->first_uses[0].volume_id, "V1");
}

// As cinder stores it; KMIP takes the name in lower case alone.
TEST_F(BarbicanGetTest, AlgorithmIsInLowerCase) {
  cloud_.Next("GET", "/v1/secrets", {.body = R"({"secret_type":"symmetric","status":"ACTIVE","algorithm":"AES"})"});
  const absl::StatusOr<KeyMetadata> metadata = keys_->GetMetadata(cloud_.Add(), Soon());
  ASSERT_THAT(metadata, Succeeds());
  EXPECT_EQ(metadata->algorithm, "aes");
}

TEST(BarbicanMakeTest, WhatCannotWorkIsRefused) {
  const FakeCloud cloud;
  const auto made = [&](const std::function<void(BarbicanConfig&)>& change, const char* secret = "pw") {
    BarbicanConfig config = cloud.Config();
    change(config);
    return BarbicanKeyManager::Make(config, SecretOf(secret)).status();
  };
  EXPECT_THAT(made([](BarbicanConfig&) {}), Succeeds());
  EXPECT_THAT(made([](BarbicanConfig&) {}, ""), FailsWith(Reason::kInvalidField));
  EXPECT_THAT(made([](BarbicanConfig& c) { c.auth_url = "keystone"; }), HasMetadata("field", "auth_url"));
  EXPECT_THAT(made([](BarbicanConfig& c) { c.endpoint = "ftp://b"; }), HasMetadata("field", "endpoint"));
  EXPECT_THAT(made([](BarbicanConfig& c) { c.username = ""; }), HasMetadata("field", "application_credential_id"));
  EXPECT_THAT(made([](BarbicanConfig& c) { c.project_name = ""; }), HasMetadata("field", "project_name"));
}

}  // namespace
}  // namespace volcrypt
