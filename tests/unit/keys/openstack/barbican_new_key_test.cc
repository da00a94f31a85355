// Keys made and copied in.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/unit/keys/openstack/fake_cloud.h"
#include "tests/unit/keys/openstack/status_matchers.h"

namespace volcrypt {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::Not;

class BarbicanNewKeyTest : public testing::Test {
 protected:
  FakeCloud cloud_;
  std::unique_ptr<BarbicanKeyManager> keys_ = cloud_.KeyManager();
};

TEST_F(BarbicanNewKeyTest, OrderedKeyCanBeRead) {
  const absl::StatusOr<std::string> id = keys_->Create({.name = "a \"name\""}, Soon());
  ASSERT_THAT(id, Succeeds());
  EXPECT_EQ(keys_->Get(*id, Soon())->bytes.Size(), 32U);
}

TEST_F(BarbicanNewKeyTest, PendingOrderIsWaitedFor) {
  cloud_.pending = 3;
  EXPECT_THAT(keys_->Create({}, Soon()), Succeeds());
  EXPECT_EQ(cloud_.Count("GET", "/orders/"), 4U);
}

TEST_F(BarbicanNewKeyTest, OrderThatStaysPendingIsNamed) {
  cloud_.pending = -1;
  EXPECT_THAT(keys_->Create({}, absl::Now() + absl::Seconds(3)),
              AllOf(FailsWith(Reason::kKeyManagerTimedOut), Says("04de4000-"), Says("barbican-worker")));
  EXPECT_EQ(cloud_.Count("POST", "/orders/"), 1U);
}

TEST_F(BarbicanNewKeyTest, FailedOrderIsExplained) {
  cloud_.Next("GET", "/orders/",
              {.body = R"({"status":"ERROR","error_status_code":"400","error_reason":"no such <b>algorithm</b>"})"});
  EXPECT_THAT(keys_->Create({.algorithm = "rot13"}, Soon()),
              AllOf(FailsWith(Reason::kInvalidField), Says("no such algorithm"), Says("04de4000-")));
  cloud_.Next("GET", "/orders/",
              {.body = R"({"status":"ERROR","error_status_code":"500","error_reason":"HSM on fire"})"});
  EXPECT_THAT(keys_->Create({}, Soon()), AllOf(FailsWith(Reason::kKeyManagerUnavailable), Says("HSM on fire")));
}

TEST_F(BarbicanNewKeyTest, RefusedOrderIsTheCallersToFix) {
  cloud_.Next("POST", "/orders/", BarbicanError(400, "Provided object does not match schema"));
  EXPECT_THAT(keys_->Create({}, Soon()), AllOf(FailsWith(Reason::kInvalidField), Says("schema")));
}

TEST_F(BarbicanNewKeyTest, KeysThatCannotBeAreNotOrdered) {
  for (const uint32_t bits : {0U, 100U, 8192U}) {
    EXPECT_THAT(keys_->Create({.bit_length = bits}, Soon()), HasMetadata("field", "bit_length"));
  }
  EXPECT_THAT(keys_->Create({.algorithm = ""}, Soon()), HasMetadata("field", "algorithm"));
  EXPECT_THAT(keys_->Create({.name = std::string(256, 'n')}, Soon()), HasMetadata("field", "name"));
  EXPECT_TRUE(cloud_.Requests().empty());
}

TEST_F(BarbicanNewKeyTest, WhatMayHaveMadeAKeyIsNotSentAgain) {
  cloud_.Always("POST", "/orders/", {.manner = Manner::kDropped});
  EXPECT_THAT(keys_->Create({}, Soon()), FailsWith(Reason::kKeyManagerUnavailable));
  EXPECT_EQ(cloud_.Count("POST", "/orders/"), 1U);
  cloud_.Always("POST", "/secrets/", {.status = 503, .body = "later"});
  const Key key = {.bytes = SecretOf("0123456789abcdef")};
  EXPECT_THAT(keys_->Import(key, {}, Soon()), FailsWith(Reason::kKeyManagerUnavailable));
  EXPECT_EQ(cloud_.Count("POST", "/secrets/"), 1U);
}

TEST_F(BarbicanNewKeyTest, LostAnswerOfACreationSaysHowToFindTheKey) {
  const Key key = {.bytes = SecretOf("0123456789abcdef")};
  const std::vector<FakeHttpAnswer> answers = {
      {.manner = Manner::kDropped},     {.body = "{}", .manner = Manner::kCutShort}, {.manner = Manner::kNever},
      {.status = 500, .body = "{}"},    {.status = 504, .body = "<html>"},           {.status = 201, .body = "{}"},
      {.status = 202, .body = "<html>"}};
  for (const FakeHttpAnswer& answer : answers) {
    cloud_.Next("POST", "/v1/", answer, 2);
    const absl::Duration time = absl::Seconds(answer.manner == Manner::kNever ? 4 : 30);
    EXPECT_THAT(keys_->Create({.name = "of volume 7"}, absl::Now() + time),
                AllOf(Not(Succeeds()), HasMetadata("key_may_exist", "true"), HasMetadata("name", "of volume 7"),
                      Says("look in Barbican for a new secret of the name of volume 7")));
    EXPECT_THAT(keys_->Import(key, {}, absl::Now() + time),
                AllOf(Not(Succeeds()), HasMetadata("key_may_exist", "true"), Says("without name")));
  }
}

TEST_F(BarbicanNewKeyTest, KeyOfAnOrderThatCannotBeReadMayExist) {
  cloud_.Always("GET", "/orders/", BarbicanError(403, "Order retrieval attempt not allowed"));
  EXPECT_THAT(keys_->Create({}, Soon()), AllOf(FailsWith(Reason::kKeyAccessDenied), Says("look at order 04de4000-"),
                                               HasMetadata("key_may_exist", "true")));
}

TEST_F(BarbicanNewKeyTest, WhatWasRefusedOrNeverSentMadeNoKey) {
  const auto no_key = AllOf(Not(Succeeds()), Not(HasMetadata("key_may_exist", "true")));
  const Key key = {.bytes = SecretOf("0123456789abcdef")};
  for (const int status : {400, 401, 403, 413, 429}) {
    FakeCloud cloud;
    cloud.Always("POST", "/v1/", BarbicanError(status, "no"));
    EXPECT_THAT(cloud.KeyManager()->Create({}, Soon()), no_key) << status;
    EXPECT_THAT(cloud.KeyManager()->Import(key, {}, Soon()), no_key) << status;
  }
  ASSERT_THAT(keys_->Get(cloud_.Add(), Soon()), Succeeds());  // with a token that is kept
  cloud_.Server().Stop();
  EXPECT_THAT(keys_->Create({}, Soon()), no_key);
  EXPECT_THAT(keys_->Import(key, {}, Soon()), no_key);
}

TEST_F(BarbicanNewKeyTest, DeniedOrderMayBeBeyondTheQuota) {
  cloud_.Always("POST", "/orders/", BarbicanError(403, "Quota reached for project. Only 10 orders are allowed"));
  EXPECT_THAT(keys_->Create({}, Soon()),
              AllOf(FailsWith(Reason::kKeyAccessDenied), Says("raise the project's quota"), Says("Quota reached")));
}

TEST_F(BarbicanNewKeyTest, CopyIsTheSameKey) {
  const std::string bytes = std::string("\0\xff\"\n", 4) + std::string(28, 'k');
  for (const KeyType type : {KeyType::kSymmetric, KeyType::kPassphrase, KeyType::kOpaque}) {
    const Key key = {.type = type, .bytes = SecretOf(bytes)};
    const absl::StatusOr<std::string> id =
        keys_->Import(key, {.algorithm = "aes", .bit_length = 256, .name = "n"}, Soon());
    ASSERT_THAT(id, Succeeds());
    const absl::StatusOr<Key> copy = keys_->Get(*id, Soon());
    ASSERT_THAT(copy, Succeeds());
    EXPECT_EQ(TextOfSecret(copy->bytes), bytes);
    EXPECT_EQ(copy->type, type);
  }
  EXPECT_EQ(cloud_.Count("PUT", "/acl"), 0U);
}

TEST_F(BarbicanNewKeyTest, OwnerOfACopyMayReadItAndSoMayTheProject) {
  const Key key = {.bytes = SecretOf("0123456789abcdef")};
  const absl::StatusOr<std::string> id = keys_->Import(key, {.owner_user_id = "alice"}, Soon());
  ASSERT_THAT(id, Succeeds());
  EXPECT_THAT(cloud_.Find(*id).users, ElementsAre("alice"));
  EXPECT_TRUE(cloud_.Find(*id).project_access);
}

TEST_F(BarbicanNewKeyTest, CopyWhoseOwnerCannotReadItIsDeletedAgain) {
  cloud_.Always("PUT", "/acl", BarbicanError(400, "no such user"));
  const Key key = {.bytes = SecretOf("0123456789abcdef")};
  EXPECT_THAT(keys_->Import(key, {.owner_user_id = "nobody"}, Soon()), Not(Succeeds()));
  EXPECT_EQ(cloud_.Count("DELETE", "/v1/secrets/"), 1U);
}

TEST_F(BarbicanNewKeyTest, HungAclLeavesTimeToDeleteTheCopy) {
  cloud_.Always("GET", "/acl", {.manner = Manner::kNever});
  const Key key = {.bytes = SecretOf("0123456789abcdef")};
  EXPECT_THAT(keys_->Import(key, {.owner_user_id = "alice"}, absl::Now() + absl::Seconds(2)),
              FailsWith(Reason::kKeyManagerTimedOut));
  EXPECT_EQ(cloud_.Count("DELETE", "/v1/secrets/"), 1U);
}

TEST_F(BarbicanNewKeyTest, RefusedCopyIsExplained) {
  const std::string words =
      "Provided object does not match schema 'Secret': 120000 is greater than the maximum of 32767. Invalid property: "
      "'bit_length'";
  cloud_.Next("POST", "/secrets/", BarbicanError(400, words));
  const Key key = {.bytes = SecretOf("0123456789abcdef")};
  EXPECT_THAT(keys_->Import(key, {}, Soon()),
              AllOf(FailsWith(Reason::kKeyUnfit), Says(words), Says("compare the type")));
  EXPECT_EQ(cloud_.Count("POST", "/secrets/"), 1U);
}

TEST_F(BarbicanNewKeyTest, BarbicansQuotationOfAKeyIsNotRepeated) {
  const Key key = {.bytes = SecretOf("0123456789abcdef")};
  for (const char* quotation : {"MDEyMzQ1Njc4OWFiY2RlZg==", "MDEy", "ZjY2RlZg==", "0123456789abcdef", "cdef"}) {
    cloud_.Next("POST", "/secrets/", BarbicanError(400, absl::StrCat("'", quotation, "' is too long")));
    EXPECT_THAT(keys_->Import(key, {}, Soon()),
                AllOf(FailsWith(Reason::kKeyUnfit), Not(Says(quotation)), Says("its words are not repeated")));
  }
}

TEST_F(BarbicanNewKeyTest, LengthThatBarbicanCannotHoldIsLeftOut) {
  for (const size_t bytes : {size_t{4095}, size_t{4096}}) {
    const Key key = {.type = KeyType::kOpaque, .bytes = SecretOf(std::string(bytes, 'k'))};
    const absl::StatusOr<std::string> id = keys_->Import(key, {}, Soon());
    ASSERT_THAT(id, Succeeds());
    EXPECT_EQ(cloud_.Find(*id).bit_length, bytes == 4095 ? "32760" : "null");
  }
}

TEST_F(BarbicanNewKeyTest, CopiesThatDoNotFitAreUnfit) {
  const auto imported = [this](size_t bytes) {
    return keys_->Import({.type = KeyType::kOpaque, .bytes = SecretOf(std::string(bytes, 'k'))}, {}, Soon());
  };
  EXPECT_THAT(imported(15000), Succeeds());
  EXPECT_THAT(imported(15001), FailsWith(Reason::kKeyUnfit));
  EXPECT_THAT(imported(0), FailsWith(Reason::kKeyUnfit));
}

}  // namespace
}  // namespace volcrypt
