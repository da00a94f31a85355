// Whose token is used for what.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "tests/unit/keys/openstack/fake_cloud.h"
#include "tests/unit/keys/openstack/status_matchers.h"

namespace volcrypt {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class BarbicanCallerTest : public testing::Test {
 protected:
  BarbicanCallerTest() {
    cloud_.AllowToken("users-token");
    cloud_.DenyToken("denied-token");
  }

  KeyCall Call(const CallerTokens& tokens) {
    KeyCall call(Soon(), &tokens);
    call.warnings = &warnings_;
    return call;
  }
  absl::StatusOr<Key> GetWith(const std::string& token) {
    const CallerTokens tokens = {.auth_token = SecretOf(token), .service_token = SecretBytes()};
    return keys_->Get(id_, Call(tokens));
  }
  void AllowGrants() {
    BarbicanConfig config = cloud_.Config();
    config.grant_agent_read = true;
    keys_ = cloud_.KeyManager(config);
  }
  // Somebody else's write of the read ACL follows on each of the first so many of ours.
  void UndoGrants(size_t times) {
    cloud_.Before([this, times, undone = size_t{0}](const FakeHttpRequest& request) mutable {
      if (request.method != "GET" || !request.path.ends_with("/acl")) return;
      if (undone == times || cloud_.Count("PUT", "/acl") == undone) return;
      ++undone;
      cloud_.SetUsers(id_, {"bob"});
    });
  }
  std::vector<std::string> TokensSent() const {
    std::vector<std::string> tokens;
    for (const FakeHttpRequest& request : cloud_.Requests()) {
      if (request.path.starts_with("/v1/")) tokens.push_back(request.Header("x-auth-token"));
    }
    return tokens;
  }

  FakeCloud cloud_;
  const std::string id_ = cloud_.Add();
  std::unique_ptr<BarbicanKeyManager> keys_ = cloud_.KeyManager();
  std::vector<std::string> warnings_;
};

TEST_F(BarbicanCallerTest, CallersTokensAreUsedForItsRequest) {
  const CallerTokens tokens = {.auth_token = SecretOf("users-token"), .service_token = SecretOf("services-token")};
  ASSERT_THAT(keys_->Get(id_, Call(tokens)), Succeeds());
  EXPECT_THAT(TokensSent(), ElementsAre("users-token", "users-token"));
  EXPECT_EQ(cloud_.Requests().back().Header("x-service-token"), "services-token");
}

TEST_F(BarbicanCallerTest, RequestsNameTheCallThatTheyAreMadeFor) {
  const RequestTrace trace = {.request_id = "req-1", .traceparent = "00-trace-parent-01"};
  KeyCall call(Soon());
  call.trace = &trace;
  ASSERT_THAT(keys_->Get(id_, call.Until(Soon())), Succeeds());
  int seen = 0;
  for (const FakeHttpRequest& request : cloud_.Requests()) {
    if (!request.path.starts_with("/v1/")) continue;
    ++seen;
    EXPECT_EQ(request.Header("x-openstack-request-id"), "req-1") << request.path;
    EXPECT_EQ(request.Header("traceparent"), "00-trace-parent-01") << request.path;
  }
  EXPECT_EQ(seen, 2);
  ASSERT_THAT(keys_->Get(id_, Soon()), Succeeds());
  EXPECT_EQ(cloud_.Requests().back().Header("x-openstack-request-id"), "");
}

TEST_F(BarbicanCallerTest, CallersTokenIsNotKept) {
  ASSERT_THAT(GetWith("users-token"), Succeeds());
  ASSERT_THAT(keys_->Get(id_, Soon()), Succeeds());
  EXPECT_THAT(TokensSent(), ElementsAre("users-token", "users-token", "agent-1", "agent-1"));
  EXPECT_EQ(cloud_.Requests().back().Header("x-service-token"), "");
}

TEST_F(BarbicanCallerTest, CallersTokenIsNotUsedWhereTheSectionDoesNotAcceptIt) {
  BarbicanConfig config = cloud_.Config();
  config.accept_caller_token = false;
  keys_ = cloud_.KeyManager(config);
  ASSERT_THAT(GetWith("users-token"), Succeeds());
  EXPECT_THAT(TokensSent(), ElementsAre("agent-1", "agent-1"));
}

TEST_F(BarbicanCallerTest, UnknownTokenOfACallerIsRejectedAndNothingElseTried) {
  EXPECT_THAT(GetWith("expired-token"), AllOf(FailsWith(Reason::kCallerTokenRejected),
                                              HasMetadata("credential", "caller"), Not(Says("expired-token"))));
  EXPECT_THAT(TokensSent(), ElementsAre("expired-token"));
}

TEST_F(BarbicanCallerTest, TextThatIsNoTokenIsNotSent) {
  for (const char* token : {"a\r\nX-Roles: admin", "a b", "\xff"}) {
    EXPECT_THAT(GetWith(token), FailsWith(Reason::kCallerTokenRejected));
  }
  EXPECT_THAT(GetWith(std::string(20000, 't')), FailsWith(Reason::kCallerTokenRejected));
  EXPECT_THAT(TokensSent(), IsEmpty());
}

TEST_F(BarbicanCallerTest, AgentsOwnTokenFollowsADeniedOne) {
  ASSERT_THAT(GetWith("denied-token"), Succeeds());
  EXPECT_THAT(TokensSent(), ElementsAre("denied-token", "agent-1", "agent-1"));
}

TEST_F(BarbicanCallerTest, AgentsOwnTokenFollowsWhereOnlyThePayloadIsDenied) {
  cloud_.Next("GET", "/payload", BarbicanError(403, "Secret payload retrieval attempt not allowed"));
  ASSERT_THAT(GetWith("users-token"), Succeeds());
  EXPECT_THAT(TokensSent(), ElementsAre("users-token", "users-token", "agent-1"));
}

TEST_F(BarbicanCallerTest, DenialOfBothNamesBoth) {
  cloud_.Always("GET", "/v1/secrets", BarbicanError(403, "Secret retrieval attempt not allowed"));
  EXPECT_THAT(GetWith("users-token"),
              AllOf(FailsWith(Reason::kKeyAccessDenied), HasMetadata("credential", "agent"),
                    HasMetadata("tried", "caller,agent"), Says("the caller's user"), Says("the agent's user nova")));
}

TEST_F(BarbicanCallerTest, DenialOfTheAgentNamesTheAgent) {
  cloud_.Always("GET", "/v1/secrets", BarbicanError(403, "Secret retrieval attempt not allowed"));
  EXPECT_THAT(keys_->Get(id_, Soon()),
              AllOf(FailsWith(Reason::kKeyAccessDenied), HasMetadata("credential", "agent"),
                    HasMetadata("tried", "agent"), Says("nova"), Says("proj"), Says("creator and member")));
}

TEST_F(BarbicanCallerTest, NobodyElseMakesOrDeletesKeysForADeniedCaller) {
  const CallerTokens tokens = {.auth_token = SecretOf("denied-token"), .service_token = SecretBytes()};
  const Key key = {.bytes = SecretOf("0123456789abcdef")};
  for (const absl::Status& status :
       {keys_->Create({}, Call(tokens)).status(), keys_->Import(key, {}, Call(tokens)).status(),
        keys_->Delete(id_, true, Call(tokens))}) {
    EXPECT_THAT(status, AllOf(FailsWith(Reason::kKeyAccessDenied), HasMetadata("credential", "caller")));
  }
  EXPECT_EQ(cloud_.Find(id_).status, "ACTIVE");
  EXPECT_THAT(TokensSent(), testing::Each("denied-token"));
}

TEST_F(BarbicanCallerTest, WhoMayOnlyLookWithTheAgentsRightsDeletesWithItsOwn) {
  const CallerTokens tokens = {.auth_token = SecretOf("denied-token"), .service_token = SecretBytes()};
  EXPECT_THAT(keys_->Delete(id_, false, Call(tokens)),
              AllOf(FailsWith(Reason::kKeyAccessDenied), HasMetadata("credential", "caller")));
  EXPECT_EQ(cloud_.Find(id_).status, "ACTIVE");
  EXPECT_THAT(TokensSent(), ElementsAre("denied-token", "agent-1", "agent-1", "denied-token"));
}

TEST_F(BarbicanCallerTest, AnswerThatShowsATokenIsNotRepeated) {
  const CallerTokens tokens = {.auth_token = SecretOf("users-token"), .service_token = SecretOf("services-token")};
  for (const char* token : {"users-token", "services-token"}) {
    cloud_.Next("GET", "/v1/secrets", BarbicanError(500, absl::StrCat("sent: {'token': '", token, "'}")), 3);
    EXPECT_THAT(keys_->Get(id_, Call(tokens)), AllOf(FailsWith(Reason::kKeyManagerUnavailable), Not(Says(token))));
  }
  cloud_.Next("GET", "/v1/secrets", BarbicanError(403, "X-Auth-Token: agent-1"));
  EXPECT_THAT(keys_->Get(id_, Soon()), AllOf(FailsWith(Reason::kKeyAccessDenied), Not(Says("agent-1"))));
}

TEST_F(BarbicanCallerTest, AgentWritesTheFirstUseRecordThatTheCallerMayNot) {
  const CallerTokens tokens = {.auth_token = SecretOf("denied-token"), .service_token = SecretBytes()};
  const FirstUseRecord claim = {.volume_id = "v", .host = "h", .luks_uuid = "11111111-2222-4333-8444-555555555555"};
  EXPECT_THAT(keys_->ClaimFirstUse(id_, claim, Call(tokens)), Succeeds());
  EXPECT_EQ(cloud_.Find(id_).metadata.size(), 1U);
}

TEST_F(BarbicanCallerTest, AgentIsGivenAPlaceInTheAcl) {
  AllowGrants();
  ASSERT_THAT(GetWith("users-token"), Succeeds());
  EXPECT_THAT(cloud_.Find(id_).users, ElementsAre(FakeCloud::kAgentId));
  EXPECT_TRUE(cloud_.Find(id_).project_access);
  EXPECT_THAT(warnings_, IsEmpty());
  // It is there now.
  ASSERT_THAT(GetWith("users-token"), Succeeds());
  EXPECT_EQ(cloud_.Count("PUT", "/acl"), 1U);
}

TEST_F(BarbicanCallerTest, GrantKeepsWhatTheAclSays) {
  AllowGrants();
  const std::string secret = cloud_.Add({.users = {"alice", "bob"}, .project_access = false});
  const CallerTokens tokens = {.auth_token = SecretOf("users-token"), .service_token = SecretBytes()};
  ASSERT_THAT(keys_->Get(secret, Call(tokens)), Succeeds());
  EXPECT_THAT(cloud_.Find(secret).users, ElementsAre("alice", "bob", FakeCloud::kAgentId));
  EXPECT_FALSE(cloud_.Find(secret).project_access);
}

// Another host, or a person, read the list before our write and wrote it after.
TEST_F(BarbicanCallerTest, GrantThatAnothersWriteUndidIsMadeAgain) {
  AllowGrants();
  UndoGrants(1);
  ASSERT_THAT(GetWith("users-token"), Succeeds());
  EXPECT_THAT(cloud_.Find(id_).users, ElementsAre("bob", FakeCloud::kAgentId));
  EXPECT_EQ(cloud_.Count("PUT", "/acl"), 2U);
  EXPECT_THAT(warnings_, IsEmpty());
}

TEST_F(BarbicanCallerTest, GrantThatIsUndoneEveryTimeIsAWarning) {
  AllowGrants();
  UndoGrants(100);
  ASSERT_THAT(GetWith("users-token"), Succeeds());
  EXPECT_EQ(cloud_.Count("PUT", "/acl"), 3U);
  EXPECT_THAT(warnings_, ElementsAre(HasSubstr("changed by others all the time")));
}

TEST_F(BarbicanCallerTest, GrantWhoseAnswerWasLostIsNotRepeatedButLookedFor) {
  AllowGrants();
  cloud_.Before([this](const FakeHttpRequest& request) {
    if (request.method == "PUT") cloud_.SetUsers(id_, {FakeCloud::kAgentId});
  });
  cloud_.Next("PUT", "/acl", {.manner = Manner::kDropped});
  ASSERT_THAT(GetWith("users-token"), Succeeds());
  EXPECT_EQ(cloud_.Count("PUT", "/acl"), 1U);
  EXPECT_THAT(warnings_, IsEmpty());
}

TEST_F(BarbicanCallerTest, GrantThatGotLostIsNotRepeated) {
  AllowGrants();
  cloud_.Always("PUT", "/acl", {.manner = Manner::kDropped});
  ASSERT_THAT(GetWith("users-token"), Succeeds());
  EXPECT_EQ(cloud_.Count("PUT", "/acl"), 1U);
  EXPECT_EQ(warnings_.size(), 1U);
}

TEST_F(BarbicanCallerTest, AclIsNotWrittenWhenItCannotBeRead) {
  AllowGrants();
  cloud_.Next("GET", "/acl", {.body = R"({"read":{"users":"alice"}})"});
  ASSERT_THAT(GetWith("users-token"), Succeeds());
  EXPECT_EQ(cloud_.Count("PUT", "/acl"), 0U);
  EXPECT_THAT(warnings_, ElementsAre(HasSubstr("could not be added to the read ACL")));
}

TEST_F(BarbicanCallerTest, FailedGrantIsAWarning) {
  AllowGrants();
  cloud_.Always("PUT", "/acl", BarbicanError(403, "not allowed"));
  ASSERT_THAT(GetWith("users-token"), Succeeds());
  EXPECT_THAT(warnings_, ElementsAre(HasSubstr(id_)));
}

TEST_F(BarbicanCallerTest, HungGrantCostsLittleTime) {
  AllowGrants();
  cloud_.Always("GET", "/acl", {.manner = Manner::kNever});
  const absl::Time start = absl::Now();
  ASSERT_THAT(GetWith("users-token"), Succeeds());
  EXPECT_LT(absl::Now() - start, absl::Seconds(8));
  EXPECT_EQ(warnings_.size(), 1U);
}

TEST_F(BarbicanCallerTest, AgentGrantsNothingToItself) {
  AllowGrants();
  ASSERT_THAT(keys_->Get(id_, Soon()), Succeeds());
  ASSERT_THAT(GetWith("denied-token"), Succeeds());
  EXPECT_EQ(cloud_.Count("GET", "/acl"), 0U);
}

TEST_F(BarbicanCallerTest, NothingIsGrantedUnasked) {
  ASSERT_THAT(GetWith("users-token"), Succeeds());
  EXPECT_EQ(cloud_.Count("GET", "/acl"), 0U);
}

}  // namespace
}  // namespace volcrypt
